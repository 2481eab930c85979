// vLLM's metric families: names, help, labels and buckets of vLLM 0.32.
import type { Counter, Gauge, Labels, MetricsRegistry } from '../../../core/metrics/index.ts';
import type { EngineServerOptions } from '../options.ts';
import type { OutsideWork } from '../tiers/outside-work.ts';
import { lmcacheTierOf, nativeTiers } from '../tiers/tier-options.ts';
import * as buckets from './buckets.ts';
import { cacheConfigLabels } from './cache-config.ts';
import { LmcacheMetrics } from './lmcache-metrics.ts';
import { OffloadMetrics } from './offload-metrics.ts';
import { type SleepState, sleepStates } from './sleep-mode.ts';

/** The stages of a request with an asynchronous load, with vLLM's names. */
const fetchStages = ['waiting_to_start', 'in_progress', 'completed_waiting'] as const;

/** Declares all families in the order of the real page and keeps the series that change. */
export function declareFamilies(
  registry: MetricsRegistry,
  options: EngineServerOptions,
  modelName: string,
  outside: OutsideWork,
) {
  const own = { model_name: modelName, engine: '0' };
  const names = ['model_name', 'engine'];
  const counter = (name: string, help: string) =>
    registry.counter({ name: `vllm:${name}`, help, labels: names }).with(own);
  const gauge = (name: string, help: string) =>
    registry.gauge({ name: `vllm:${name}`, help, labels: names }).with(own);
  const histogram = (name: string, help: string, bounds: readonly number[]) =>
    registry.histogram({ name: `vllm:${name}`, help, labels: names, bounds }).with(own);
  /** Returns one counter per value of a further label. */
  const split = <V extends string>(
    name: string,
    help: string,
    label: string,
    values: readonly V[],
    fixed: Labels = own,
  ): Record<V, Counter> => {
    const labels = [...Object.keys(fixed), label];
    const family = registry.counter({ name: `vllm:${name}`, help, labels });
    const series = values.map((value) => [value, family.with({ ...fixed, [label]: value })]);
    return Object.fromEntries(series) as Record<V, Counter>;
  };
  const tokens = buckets.tokenCounts(options.config.maxModelLen);
  const perGpu = (what: string) =>
    `Estimated number of ${what} per GPU (for Model Flops Utilization calculations).`;

  const { tier } = options;
  const natives = nativeTiers(tier);
  const countsSkipped = natives.some(({ config }) => config.storeThreshold >= 2);
  const offload =
    natives.length > 0 ? new OffloadMetrics(registry, own, { countsSkipped }) : undefined;
  const flops = counter('estimated_flops_per_gpu', perGpu('floating point operations'));
  const readBytes = counter('estimated_read_bytes_per_gpu', perGpu('bytes read from memory'));
  const writeBytes = counter('estimated_write_bytes_per_gpu', perGpu('bytes written to memory'));
  const running = gauge('num_requests_running', 'Number of requests in model execution batches.');
  const waiting = gauge('num_requests_waiting', 'Number of requests waiting to be processed.');
  const waitingByReason = registry.gauge({
    name: 'vllm:num_requests_waiting_by_reason',
    help: "Number of waiting requests by reason. Reason labels: 'capacity' = waiting for scheduling capacity; 'deferred' = deferred by transient constraints (LoRA budget, KV transfer, blocked status). Sum of all reasons equals vllm:num_requests_waiting.",
    labels: [...names, 'reason'],
  });
  const waitingForCapacity = waitingByReason.with({ ...own, reason: 'capacity' });
  const waitingDeferred = waitingByReason.with({ ...own, reason: 'deferred' });
  const fetchStage = tier && declareFetchStages(registry, own);
  const sleepFamily = registry.gauge({
    name: 'vllm:engine_sleep_state',
    help: 'Engine sleep state; awake = 0 means engine is sleeping; awake = 1 means engine is awake; weights_offloaded = 1 means sleep level 1; discard_all = 1 means sleep level 2.',
    labels: [...names, 'sleep_state'],
  });
  const sleep = Object.fromEntries(
    sleepStates.map((state) => [state, sleepFamily.with({ ...own, sleep_state: state })]),
  ) as Record<SleepState, Gauge>;
  sleep.awake.set(1);
  const kvUsage = gauge('kv_cache_usage_perc', 'KV-cache usage. 1 means 100 percent usage.');
  const prefixQueries = counter(
    'prefix_cache_queries',
    'Prefix cache queries, in terms of number of queried tokens.',
  );
  const prefixHits = counter(
    'prefix_cache_hits',
    'Prefix cache hits, in terms of number of cached tokens.',
  );
  const externalQueries = counter(
    'external_prefix_cache_queries',
    'External prefix cache queries from KV connector cross-instance cache sharing, in terms of number of queried tokens.',
  );
  const externalHits = counter(
    'external_prefix_cache_hits',
    'External prefix cache hits from KV connector cross-instance cache sharing, in terms of number of cached tokens.',
  );
  counter('mm_cache_queries', 'Multi-modal cache queries, in terms of number of queried items.');
  counter('mm_cache_hits', 'Multi-modal cache hits, in terms of number of cached items.');
  const preemptions = counter(
    'num_preemptions',
    'Cumulative number of preemption from the engine.',
  );
  const promptTokens = counter('prompt_tokens', 'Number of prefill tokens processed.');
  const bySource = split(
    'prompt_tokens_by_source',
    'Number of prompt tokens by source.',
    'source',
    ['local_compute', 'local_cache_hit', 'external_kv_transfer'],
  );
  const promptCached = counter(
    'prompt_tokens_cached',
    'Number of cached prompt tokens (local + external).',
  );
  const cachedBySource = split(
    'prompt_tokens_cached_by_source',
    'Prefix-cache hit tokens by the cache tier that supplied them: device (local HBM), host (offloaded to DRAM), disk, p2p (transferred from another vLLM instance) or external_unspecified. Counted at admission; sums to vllm:prefix_cache_hits + vllm:external_prefix_cache_hits.',
    'source',
    ['device', 'host', 'p2p', 'disk', 'external_unspecified'],
  );
  const generationTokens = counter('generation_tokens', 'Number of generation tokens processed.');
  const success = split(
    'request_success',
    'Count of successfully processed requests.',
    'finished_reason',
    ['stop', 'length', 'abort', 'error', 'repetition'],
  );
  const rejections = split(
    'admission_rejections',
    'Number of admission attempts rejected by a queue limit, by reason.',
    'reason',
    ['max_num_queued_reqs', 'max_num_queued_tokens'],
    { model_name: modelName },
  );
  const requestPrompt = histogram(
    'request_prompt_tokens',
    'Number of prefill tokens processed.',
    tokens,
  );
  const requestGeneration = histogram(
    'request_generation_tokens',
    'Number of generation tokens processed.',
    tokens,
  );
  const iterationTokens = histogram(
    'iteration_tokens_total',
    'Histogram of number of tokens per engine_step.',
    buckets.iterationTokens,
  );
  const requestMaxGeneration = histogram(
    'request_max_num_generation_tokens',
    'Histogram of maximum number of requested generation tokens.',
    tokens,
  );
  const requestChoices = histogram(
    'request_params_n',
    'Histogram of the n request parameter.',
    buckets.choices,
  );
  const requestMaxTokens = histogram(
    'request_params_max_tokens',
    'Histogram of the max_tokens request parameter.',
    tokens,
  );
  const firstToken = histogram(
    'time_to_first_token_seconds',
    'Histogram of time to first token in seconds.',
    buckets.firstTokenSeconds,
  );
  const interToken = histogram(
    'inter_token_latency_seconds',
    'Histogram of inter-token latency in seconds.',
    buckets.tokenSeconds,
  );
  const perOutputToken = histogram(
    'request_time_per_output_token_seconds',
    'Histogram of time_per_output_token_seconds per request.',
    buckets.tokenSeconds,
  );
  const phase = (name: string, help: string) => histogram(name, help, buckets.requestSeconds);
  const e2e = phase('e2e_request_latency_seconds', 'Histogram of e2e request latency in seconds.');
  const spent = (what: string) => `Histogram of time spent in ${what} phase for request.`;
  const queue = phase('request_queue_time_seconds', spent('WAITING'));
  const inference = phase('request_inference_time_seconds', spent('RUNNING'));
  const prefill = phase('request_prefill_time_seconds', spent('PREFILL'));
  const decode = phase('request_decode_time_seconds', spent('DECODE'));
  const requestPreemptions = histogram(
    'request_num_preemptions',
    'Histogram of the number of times a request was preempted.',
    buckets.preemptions,
  );
  const requestComputed = histogram(
    'request_prefill_kv_computed_tokens',
    'Histogram of new KV tokens computed during prefill (excluding cached tokens).',
    tokens,
  );
  const kvBlocks = options.kvCacheMetricsSample ? declareKvBlocks(histogram) : undefined;
  const adaptersAtWork = options.lora && declareAdapters(registry, options.config.maxLoras);
  const cacheConfig = cacheConfigLabels(options);
  registry
    .gauge({
      name: 'vllm:cache_config_info',
      help: 'Information of the LLMEngine CacheConfig',
      labels: Object.keys(cacheConfig),
    })
    .with(cacheConfig)
    .set(1);
  const toolParser = options.toolCallParser && declareToolParser(registry, modelName);
  const lag = registry
    .gauge({
      name: 'spillway:engine_lag_seconds',
      help: "Delay of the last step's tokens behind the emulated engine's clock.",
    })
    .with();
  const lmcache = declareLmcache(registry, options, modelName, outside);
  const recomputed = registry.counter({
    name: 'spillway:recomputed_tokens_total',
    help: 'Tokens whose KV was computed again, after a preemption or because the blocks of a prompt were evicted.',
    labels: [...names, 'reason'],
  });
  return {
    recomputedAfterPreemption: recomputed.with({ ...own, reason: 'preemption' }),
    recomputedAfterEviction: recomputed.with({ ...own, reason: 'eviction' }),
    ...{ flops, readBytes, writeBytes, running, waiting, waitingForCapacity, waitingDeferred },
    ...{ kvUsage, lag, sleep, adaptersAtWork, kvBlocks },
    ...{ prefixQueries, prefixHits, preemptions, promptTokens, promptCached, generationTokens },
    promptComputed: bySource.local_compute,
    promptFromCache: bySource.local_cache_hit,
    promptFromTiers: bySource.external_kv_transfer,
    ...{ cachedBySource, externalQueries, externalHits, offload, lmcache, fetchStage },
    ...{ success, rejections, requestPrompt, requestGeneration, requestMaxGeneration },
    ...{ requestMaxTokens, requestChoices, requestPreemptions, requestComputed, iterationTokens },
    ...{ firstToken, interToken, perOutputToken, e2e, queue, inference, prefill, decode },
    toolParser: toolParser || undefined,
  };
}

function declareLmcache(
  registry: MetricsRegistry,
  { tier, config: { blockSize } }: EngineServerOptions,
  modelName: string,
  outside: OutsideWork,
): LmcacheMetrics | undefined {
  const lmcache = lmcacheTierOf(tier);
  if (lmcache === undefined) return undefined;
  const { blocksPerChunk, chunkBytes } = lmcache.config;
  return new LmcacheMetrics(
    registry,
    modelName,
    (blocksPerChunk * blockSize) / chunkBytes,
    outside,
  );
}

/** Present only with a connector. */
function declareFetchStages(registry: MetricsRegistry, own: Labels): Record<FetchStage, Gauge> {
  const family = registry.gauge({
    name: 'vllm:num_requests_kv_fetch_by_stage',
    help: "Number of waiting requests by async KV load stage. Stage labels: 'waiting_to_start' = needs an async KV load that has not started; 'in_progress' = load started and not yet reported finished; 'completed_waiting' = load finished, request not running yet.",
    labels: [...Object.keys(own), 'stage'],
  });
  const series = fetchStages.map((stage) => [stage, family.with({ ...own, stage })]);
  return Object.fromEntries(series) as Record<FetchStage, Gauge>;
}

type FetchStage = (typeof fetchStages)[number];

function declareToolParser(registry: MetricsRegistry, modelName: string) {
  const family = registry.counter({
    name: 'vllm:tool_call_parser_invocations',
    help: 'Total number of ToolParser invocations. Non-streaming increments once per choice; streaming increments once per delta.',
    labels: ['mode', 'model_name', 'outcome', 'request_type'],
  });
  const series = (mode: string, outcome: string, requestType: string) =>
    family.with({ mode, model_name: modelName, outcome, request_type: requestType });
  for (const mode of ['streaming', 'non_streaming']) {
    for (const outcome of ['tool_call', 'no_tool_call']) {
      for (const type of ['chat_completions', 'responses', 'other']) series(mode, outcome, type);
    }
  }
  return series;
}

/** The value of each series is the last time that vLLM saw this state; past states stay on the page. */
function declareAdapters(registry: MetricsRegistry, maxLoras: number) {
  const family = registry.gauge({
    name: 'vllm:lora_requests_info',
    help: 'Running stats on lora requests.',
    labels: ['max_lora', 'waiting_lora_adapters', 'running_lora_adapters'],
  });
  // vLLM lists an adapter in both labels, whatever the state of its requests.
  return (names: string) =>
    family
      .with({
        max_lora: `${maxLoras}`,
        waiting_lora_adapters: names,
        running_lora_adapters: names,
      })
      .set(Date.now() / 1000);
}

/** For sampled blocks; see block-lifetimes.ts. */
function declareKvBlocks<H>(
  histogram: (name: string, help: string, bounds: readonly number[]) => H,
): { readonly lifetime: H; readonly idle: H; readonly reuseGap: H } {
  const sampled = 'Sampled metrics (controlled by --kv-cache-metrics-sample).';
  const bounds = buckets.blockSeconds;
  return {
    lifetime: histogram(
      'kv_block_lifetime_seconds',
      `Histogram of KV cache block lifetime from allocation to eviction. ${sampled}`,
      bounds,
    ),
    idle: histogram(
      'kv_block_idle_before_evict_seconds',
      `Histogram of idle time before KV cache block eviction. ${sampled}`,
      bounds,
    ),
    reuseGap: histogram(
      'kv_block_reuse_gap_seconds',
      `Histogram of time gaps between consecutive KV cache block accesses. Only the most recent accesses are recorded (ring buffer). ${sampled}`,
      bounds,
    ),
  };
}
