// A control plane of LMCache as a source of what is cached below the GPUs.
import {
  type CacheTier,
  cacheTiers,
  type Endpoint,
  type RoutingRequest,
  type TierRun,
} from '../../../core/routing/index.ts';

/** One control plane: what it knows of a prompt. */
export interface TierSource {
  /** Whether anything was reported. */
  readonly isLive: boolean;
  /** See `TierIndex.match`. Requests without tokens do not come here. */
  match(request: RoutingRequest, endpoints: readonly Endpoint[]): readonly (readonly TierRun[])[];
}

/** Where one chunk is. */
export interface ChunkPlace {
  /** Index of the engine; undefined for a tier that all engines of the source share. */
  readonly engine: number | undefined;
  readonly tier: CacheTier;
}

/**
 * Follows the chunks of a prompt until no engine has the next one.
 *
 * @param placesOf The places of chunk i.
 * @param takesPart Shape [n]: whether the engine uses the shared tier.
 * @returns Shape [n]: the runs of each engine.
 */
export function runsOf(
  chunks: number,
  chunkTokens: number,
  takesPart: readonly boolean[],
  placesOf: (chunk: number) => Iterable<ChunkPlace>,
): readonly (readonly TierRun[])[] {
  const runs = takesPart.map((): { tier: CacheTier; endTokens: number }[] => []);
  const isOver = takesPart.map(() => false);
  const fastest = new Int8Array(takesPart.length);
  for (let chunk = 0; chunk < chunks; chunk++) {
    fastest.fill(cacheTiers.length);
    let shared: number = cacheTiers.length;
    for (const { engine, tier } of placesOf(chunk)) {
      const rank = cacheTiers.indexOf(tier);
      if (engine === undefined) shared = Math.min(shared, rank);
      else fastest[engine] = Math.min(fastest[engine] as number, rank);
    }
    let left = 0;
    for (const [i, isMember] of takesPart.entries()) {
      if (isOver[i]) continue;
      const tier = cacheTiers[Math.min(fastest[i] as number, isMember ? shared : 99)];
      if (tier === undefined) {
        isOver[i] = true;
        continue;
      }
      left++;
      const own = runs[i] as { tier: CacheTier; endTokens: number }[];
      const last = own.at(-1);
      const endTokens = (chunk + 1) * chunkTokens;
      if (last?.tier === tier) last.endTokens = endTokens;
      else own.push({ tier, endTokens });
    }
    if (left === 0) break;
  }
  return runs;
}
