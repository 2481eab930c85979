// What KV tiers were measured to cost beyond the bytes that they move.

/**
 * By how much each step of an engine with a connector took longer where every request was a hit: the
 * difference of the times per token at one request at a time, Qwen3-32B-AWQ on two L40S. Sorted.
 *
 * Native offload: 50.1 tok/s with and without (vLLM 0.19); with vLLM 0.11.2 49.2 against 48.9 and 48.7,
 * 46.9 against 45.9 twice. LMCache: 50.1 and 50.1 (vLLM 0.19), 51.2 against 50.1 (0.3.15 on vLLM 0.15),
 * 49.2 against 48.1 (0.3.7). Left out are five more runs of LMCache 0.3.7 of the same report, which lost
 * 2.4 to 3 ms: no later version does.
 *
 * @see https://github.com/natoscott/benchmarks/tree/38330c1e/llm-d-kvcache-offload-eval
 */
export const measuredStepSeconds = {
  native: [0, 0.125e-3, 0.209e-3, 0.464e-3, 0.464e-3],
  lmcache: [0, 0.43e-3, 0.465e-3],
} as const;

/**
 * vLLM 0.11 copied each layer of a block by itself, at 88 Gbit/s over a link on which LMCache's chunks
 * reach 400; later versions copy blocks whole.
 *
 * @see https://arxiv.org/abs/2510.09665
 */
export const copyByLayerBytesPerSecond = 11e9;
