// KV cache below the GPUs: what an engine would load of a prompt, and how long that takes. A tier is priced by the time of
// a load, so that policies compare it with computing the same tokens.
import type { Endpoint, RoutingRequest } from './contract.ts';

/** Where an engine loads KV from: its node's memory, that of another engine, its node's disk, or a store that engines share. Fastest first. */
export const cacheTiers = ['host', 'peer', 'disk', 'store'] as const;
export type CacheTier = (typeof cacheTiers)[number];

/** A part of a prompt that an engine would load from one tier; it begins where the run before ends. */
export interface TierRun {
  readonly tier: CacheTier;
  /** Its end, in tokens from the start of the prompt. */
  readonly endTokens: number;
}

/** What a token costs. */
export interface TierPrices {
  /** Seconds to load the KV of one token, on the links of this engine. */
  loadSecondsPerToken(tier: CacheTier, request: RoutingRequest, endpoint: Endpoint): number;
  /** Seconds to compute one token, for policies that do not learn the speed of engines. */
  computeSecondsPerToken(request: RoutingRequest): number;
}

/** Which tokens of a prompt are in which tier, per engine. */
export interface TierIndex extends TierPrices {
  /** Whether anything is known, so that the tokens of prompts are useful. */
  readonly isLive: boolean;
  /** @returns Shape [n], aligned with `endpoints`: the runs of each engine from the start of the prompt, without a gap. */
  match(request: RoutingRequest, endpoints: readonly Endpoint[]): readonly (readonly TierRun[])[];
}

/** KV of one token of Llama-3.1-8B in bfloat16: 2 · 32 layers · 8 heads · 128 · 2 bytes. */
export const kvBytesPerTokenDefault = 131_072;
/** One token of that model on an H100, at half of its 989 TFLOP/s. */
export const computeSecondsPerTokenDefault = 32e-6;
/**
 * Bytes per second. `host`: LMCache's copies onto a GPU in chunks of 256 tokens, 400 Gbit/s (arXiv 2510.09665).
 * `peer`: a link of 100 Gbit/s between nodes. `disk`: sequential reads of a PCIe 4.0 NVMe disk. `store`: a central store, 15 Gbit/s (the same paper).
 */
export const tierRates: Readonly<Record<CacheTier, number>> = {
  ...{ host: 50e9, peer: 12.5e9, disk: 7e9, store: 1.875e9 },
};

/** No tiers but those of KV events, at default prices. */
export const noTiers: TierIndex = {
  isLive: false,
  match: () => [],
  loadSecondsPerToken: (tier) => kvBytesPerTokenDefault / tierRates[tier],
  computeSecondsPerToken: () => computeSecondsPerTokenDefault,
};

/**
 * Adds what each engine would load to what it has on its GPU. An engine loads whatever it finds, even if computing were
 * faster; the time says which.
 *
 * @param cachedTokens Shape [n] or longer: tokens on the GPU; becomes those that the engine will not compute.
 * @param loadSeconds Shape [n] or longer: grows by the time of the loads.
 */
export function addLoads(
  tiers: TierIndex,
  request: RoutingRequest,
  endpoints: readonly Endpoint[],
  cachedTokens: Float64Array,
  loadSeconds: Float64Array,
): void {
  if (!tiers.isLive || request.tokens === undefined) return;
  // The last token is always computed, for its logits.
  const tokensMax = request.promptTokens - 1;
  for (const [i, runs] of tiers.match(request, endpoints).entries()) {
    let from = cachedTokens[i] as number;
    for (const { tier, endTokens } of runs) {
      const end = Math.min(endTokens, tokensMax);
      if (end <= from) continue;
      const price = tiers.loadSecondsPerToken(tier, request, endpoints[i] as Endpoint);
      loadSeconds[i] = (loadSeconds[i] as number) + (end - from) * price;
      from = end;
    }
    cachedTokens[i] = from;
  }
}
