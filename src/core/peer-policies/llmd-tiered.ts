// The scorers of llm-d's tiered-prefix-cache guide as they were in its experiment's release.
// Source: gateway-api-inference-extension v1.2.0-rc.1, pkg/epp/scheduling/framework/plugins:
// scorer/queue.go, scorer/kvcache_utilization.go, multi/prefix/plugin.go, picker/max_score_picker.go;
// weights of config/charts/inferencepool/templates/epp-config.yaml there, and of llm-d/llm-d#457.
import { LruMap, type Random } from '../base/index.ts';
import type { Endpoint, Pick, Policy, RoutingRequest } from '../routing/index.ts';
import { indexOfHighest } from './choose.ts';
import { queueScores } from './llmd-weighted.ts';
import { promptBlocks } from './prefix-memory.ts';

export interface LlmdTieredOptions {
  readonly random: Random;
  /** KV blocks in HBM and, where KV is offloaded, in host memory, of one engine. */
  readonly hbmBlocks: number;
  readonly hostBlocks?: number | undefined;
}

interface TieredPick extends Pick {
  readonly hashes: Float64Array;
}

/** The prefix scorer hashes the text of a prompt in blocks of 64 bytes, 256 at most. */
const [hashBytes, hashesOfPromptMax] = [64, 256];
/** Remembered so many at a time, for speed: a match may be short by seven of them. */
const hashesPerEntry = 8;
const weights = { queue: 2, kvUsage: 2 };
/** Of the prefix scorers: of HBM alone, and where there is another of host memory. */
const prefixWeights = { alone: 3, besideHost: 1, host: 1 };

/**
 * Each score is in [0, 1]; the engine with the largest weighted sum takes the request. A prefix scorer
 * remembers as many hashes as an engine has KV blocks. It sees the first 16 KiB of a prompt, 256 hashes,
 * however long that is: so it takes an engine to hold many more long prompts than it does.
 */
export class LlmdTieredPolicy implements Policy {
  readonly name = 'llm-d';
  readonly needsTokens = false;
  readonly #random: Random;
  readonly #scorers: readonly { readonly weight: number; readonly entriesMax: number }[];
  readonly #believed = new Map<string, readonly LruMap<number, true>[]>();

  constructor({ random, hbmBlocks, hostBlocks }: LlmdTieredOptions) {
    this.#random = random;
    const scorer = (weight: number, hashesMax: number) => {
      return { weight, entriesMax: Math.max(1, Math.floor(hashesMax / hashesPerEntry)) };
    };
    this.#scorers =
      hostBlocks === undefined
        ? [scorer(prefixWeights.alone, hbmBlocks)]
        : [scorer(prefixWeights.besideHost, hbmBlocks), scorer(prefixWeights.host, hostBlocks)];
  }

  pick(request: RoutingRequest, endpoints: readonly Endpoint[]): TieredPick {
    const { hashes: all, blockTokens } = promptBlocks(request, hashBytes);
    // A hash names all of the prompt up to it.
    const hashes = all
      .subarray(0, hashesOfPromptMax)
      .filter((_, i) => i % hashesPerEntry === hashesPerEntry - 1);
    const queue = queueScores(endpoints);
    const scores = endpoints.map(({ url, reported }, i) => {
      const held = this.#heldBy(url);
      const prefix = this.#scorers.reduce((sum, { weight }, scorer) => {
        const matched = matchedOf(held[scorer] as LruMap<number, true>, hashes);
        return sum + (hashes.length === 0 ? 0 : (weight * matched) / hashes.length);
      }, 0);
      const free = 1 - (reported?.kvUsage ?? 0);
      return weights.queue * (queue[i] as number) + weights.kvUsage * free + prefix;
    });
    const best = indexOfHighest(scores, this.#random);
    const endpoint = endpoints[best] as Endpoint;
    const matched = Math.max(...this.#heldBy(endpoint.url).map((held) => matchedOf(held, hashes)));
    return {
      endpoint,
      reason: `highest weighted score: ${(scores[best] as number).toFixed(3)}`,
      // What lies behind the hashed beginning is unknown to it.
      cachedTokens: Math.max(
        0,
        Math.min(Math.floor(matched * hashesPerEntry * blockTokens), request.promptTokens - 1),
      ),
      ...{ scores, hashes },
    };
  }

  onSent(_request: RoutingRequest, { endpoint, hashes }: TieredPick): void {
    for (const held of this.#heldBy(endpoint.url)) for (const hash of hashes) held.set(hash, true);
  }

  onEndpointReset({ url }: Endpoint): void {
    this.#believed.delete(url);
  }

  #heldBy(url: string): readonly LruMap<number, true>[] {
    const known = this.#believed.get(url);
    if (known) return known;
    const made = this.#scorers.map(({ entriesMax }) => new LruMap<number, true>({ entriesMax }));
    this.#believed.set(url, made);
    return made;
  }
}

function matchedOf(held: LruMap<number, true>, hashes: Float64Array): number {
  const miss = hashes.findIndex((hash) => !held.has(hash));
  return miss === -1 ? hashes.length : miss;
}
