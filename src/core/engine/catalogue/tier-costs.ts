// Measured cost of KV tiers beyond the bytes that they move.

/**
 * Additional time per step of an engine with a connector where every request was a hit: the
 * difference of the times per token with one request at a time, Qwen3-32B-AWQ on two L40S. Sorted.
 * Native offload: 50.1 tok/s with and without (vLLM 0.19); with vLLM 0.11.2 49.2 against 48.9 and
 * 48.7, 46.9 against 45.9 twice. LMCache: 50.1 and 50.1 (vLLM 0.19), 51.2 against 50.1 (0.3.15 on
 * vLLM 0.15), 49.2 against 48.1 (0.3.7). Five more runs of LMCache 0.3.7 in the same report are
 * excluded: they lost 2.4 to 3 ms, which no later version does.
 *
 * @see https://github.com/natoscott/benchmarks/tree/38330c1e/llm-d-kvcache-offload-eval
 */
export const measuredStepSeconds = {
  native: [0, 0.125e-3, 0.209e-3, 0.464e-3, 0.464e-3],
  lmcache: [0, 0.43e-3, 0.465e-3],
} as const;

/**
 * The cost of a step by default: the median of what was measured. At 7 to 14 ms per step it is the 3 to 5 % that
 * LMCache is said to cost where all KV cache fits in HBM, and at the 19 ms of llm-d's experiment 1 and 2 %, where
 * 1.5 and 2.6 % were measured (native offload and LMCache).
 *
 * @see https://github.com/llm-d/llm-d guides/tiered-prefix-cache/cpu
 */
export const typicalStepSeconds = {
  native: measuredStepSeconds.native[2],
  lmcache: measuredStepSeconds.lmcache[1],
} as const;

/**
 * vLLM 0.11 copied each layer of a block separately, at 88 Gbit/s over a link on which LMCache's chunks
 * reach 400; later versions copy whole blocks.
 *
 * @see https://arxiv.org/abs/2510.09665
 */
export const copyByLayerBytesPerSecond = 11e9;
