// An engine's report on /metrics, summed over its data-parallel ranks.

/** Figures of vLLM's /metrics that a router uses; undefined if the engine does not report them. */
export interface EngineReport {
  readonly running: number | undefined;
  readonly waiting: number | undefined;
  /** KV blocks in use, in [0, 1]; the mean over ranks. */
  readonly kvUsage: number | undefined;
  /** Tokens looked up in the prefix cache, and tokens found. */
  readonly prefixCacheQueries: number | undefined;
  readonly prefixCacheHits: number | undefined;
  readonly preemptions: number | undefined;
  readonly promptTokens: number | undefined;
  readonly generationTokens: number | undefined;
  readonly blocksTotal: number | undefined;
  readonly blockTokens: number | undefined;
  /** Unix time at which the process started. */
  readonly startedAtSeconds: number | undefined;
}

/** Metric name to field, including the names of older engines. */
const fieldOfMetric: Readonly<Record<string, string>> = {
  'vllm:num_requests_running': 'running',
  'vllm:num_requests_waiting': 'waiting',
  'vllm:kv_cache_usage_perc': 'kvUsage',
  'vllm:gpu_cache_usage_perc': 'kvUsage',
  'vllm:prefix_cache_queries_total': 'prefixCacheQueries',
  'vllm:gpu_prefix_cache_queries_total': 'prefixCacheQueries',
  'vllm:prefix_cache_hits_total': 'prefixCacheHits',
  'vllm:gpu_prefix_cache_hits_total': 'prefixCacheHits',
  'vllm:num_preemptions_total': 'preemptions',
  'vllm:prompt_tokens_total': 'promptTokens',
  'vllm:generation_tokens_total': 'generationTokens',
  process_start_time_seconds: 'startedAtSeconds',
};
const configMetric = 'vllm:cache_config_info';

/**
 * Reads a page in the Prometheus text format.
 *
 * @example
 * parseEngineReport('vllm:num_requests_running{engine="0"} 3.0\n').running; // 3
 */
export function parseEngineReport(page: string): EngineReport {
  const sums = new Map<string, { sum: number; count: number }>();
  const add = (field: string, value: number) => {
    if (!Number.isFinite(value)) return;
    const entry = sums.get(field) ?? { sum: 0, count: 0 };
    entry.sum += value;
    entry.count++;
    sums.set(field, entry);
  };
  const seen = new Map<string, string>();
  for (const line of page.split('\n')) {
    if (line.startsWith('#') || line === '') continue;
    const nameEnd = line.search(/[{ ]/);
    if (nameEnd < 0) continue;
    const name = line.slice(0, nameEnd);
    if (name === configMetric) {
      add('blocksTotal', Number(/num_gpu_blocks="(\d+)"/.exec(line)?.[1]));
      add('blockTokens', Number(/[{,]block_size="(\d+)"/.exec(line)?.[1]));
      continue;
    }
    const field = fieldOfMetric[name];
    if (field === undefined) continue;
    // An engine with both the old and the new name of a metric is counted once.
    if ((seen.get(field) ?? name) !== name) continue;
    seen.set(field, name);
    const labelsEnd = line.lastIndexOf('}');
    const value = line.slice(labelsEnd < 0 ? nameEnd : labelsEnd + 1).trim();
    add(field, Number(value.split(' ')[0]));
  }
  const sum = (field: string) => sums.get(field)?.sum;
  const mean = (field: string) => {
    const entry = sums.get(field);
    return entry && entry.sum / entry.count;
  };
  return {
    running: sum('running'),
    waiting: sum('waiting'),
    kvUsage: mean('kvUsage'),
    prefixCacheQueries: sum('prefixCacheQueries'),
    prefixCacheHits: sum('prefixCacheHits'),
    preemptions: sum('preemptions'),
    promptTokens: sum('promptTokens'),
    generationTokens: sum('generationTokens'),
    blocksTotal: sum('blocksTotal'),
    blockTokens: mean('blockTokens'),
    startedAtSeconds: mean('startedAtSeconds'),
  };
}
