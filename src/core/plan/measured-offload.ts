// What KV offload has gained on real GPUs, and the working sets from which it pays: the evidence behind the rules.

/**
 * Working sets, as shares of the KV cache in HBM, from which a tier pays, according to the sweep in
 * docs/guide/kv-offload.md. They are below 1, because running requests need space as well.
 */
export const breakEvenSets = { native: 0.54, lmcache: 0.56 } as const;

/** The smaller one: a smaller working set stays in HBM, where no tier can add to it. */
export const breakEvenSet = Math.min(breakEvenSets.native, breakEvenSets.lmcache);

/** A measured fleet: prompts that share prefixes, with and without host memory below HBM. */
export interface MeasuredOffload {
  /** Working set over the KV cache in HBM of the fleet. */
  readonly workingSet: number;
  /** Gain in tokens per second of vLLM's own offload; 0.2: 20 % more. */
  readonly native: number;
  /** The same of LMCache; undefined if not measured. */
  readonly lmcache: number | undefined;
  /** Load, if the experiment had several. */
  readonly requestsPerSecond?: number;
}

/**
 * Qwen3-32B on 8 × 2 H100 behind llm-d's router: 45 clients with 0.65 of the memory (the first two), and 250 groups of
 * prompts of 16,000 tokens at fixed rates on 18,625 blocks of KV cache per engine (the others).
 *
 * @see https://github.com/llm-d/llm-d guides/tiered-prefix-cache (Apache-2.0)
 */
export const measuredOffload: readonly MeasuredOffload[] = [
  { workingSet: 0.35, native: -0.015, lmcache: -0.026 },
  { workingSet: 1.2, native: 0.213, lmcache: 0.217 },
  { workingSet: 1.8, native: 0.36, lmcache: undefined, requestsPerSecond: 10 },
  { workingSet: 1.8, native: 1.86, lmcache: undefined, requestsPerSecond: 40 },
];

/** What the engine model gives for the measured fleets at a working set of 1.8: it understates tiers beyond HBM. */
export const modelledOffload = [0.03, 0.43] as const;
