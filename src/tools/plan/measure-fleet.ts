// Measures the workload of a running fleet through Prometheus.
import type { PlanInput } from '../../core/plan/index.ts';
import { type PrometheusClient, PrometheusError } from '../../io/prometheus/index.ts';

/** Measured parts of a plan's input; undefined if not measured. */
export interface MeasuredFleet {
  readonly workload: Partial<PlanInput['workload']>;
  readonly fleet: Partial<PlanInput['fleet']>;
  /** Highest KV-cache utilization of any engine. */
  readonly kvUsePeak: number | undefined;
  readonly hitRate: number | undefined;
}

/** Minimum hit rate at which prompts count as sharing prefixes. */
const reuseShareMin = 0.05;

/**
 * Measures lengths, rates, preemptions and cache use over the last window, summed over the selected engines. Metric
 * names are vLLM's.
 *
 * @param selector Label matchers without braces.
 * @throws {PrometheusError} If the server does not answer, or knows no vLLM.
 */
export async function measureFleet(
  client: PrometheusClient,
  { selector, windowSeconds }: { readonly selector: string; readonly windowSeconds: number },
): Promise<MeasuredFleet> {
  const of = (metric: string) => `${metric}{${selector}}`;
  const window = `[${Math.round(windowSeconds)}s]`;
  const ask = async (expression: string): Promise<number | undefined> => {
    const value = (await client.instant(expression))[0]?.samples[0]?.[1];
    return value === undefined || !Number.isFinite(value) ? undefined : value;
  };
  const rate = (metric: string) => ask(`sum(rate(${of(metric)}${window}))`);
  const inFlight = `sum(${of('vllm:num_requests_running')}) + sum(${of('vllm:num_requests_waiting')})`;
  const engines = await ask(`count(${of('vllm:num_requests_running')})`);
  if (engines === undefined) {
    throw new PrometheusError(
      `Prometheus has no vLLM engine${selector === '' ? '' : ` with ${selector}`}: vllm:num_requests_running has no series; check --selector.`,
    );
  }
  const [requests, prompts, outputs, preemptions, hits, queries, concurrency, kvUsePeak] =
    await Promise.all([
      rate('vllm:request_success_total'),
      rate('vllm:prompt_tokens_total'),
      rate('vllm:generation_tokens_total'),
      rate('vllm:num_preemptions_total'),
      rate('vllm:prefix_cache_hits_total'),
      rate('vllm:prefix_cache_queries_total'),
      ask(`max_over_time((${inFlight})[${Math.round(windowSeconds)}s:1m])`),
      ask(`max(max_over_time(${of('vllm:kv_cache_usage_perc')}${window}))`),
    ]);
  const model = (await client.instant(of('vllm:num_requests_running')))[0]?.labels['model_name'];
  const hitRate = hits !== undefined && queries ? hits / queries : undefined;
  const perRequest = (tokens: number | undefined) =>
    tokens !== undefined && requests ? Math.max(1, Math.round(tokens / requests)) : undefined;
  const promptTokens = perRequest(prompts);
  const reuses = (hitRate ?? 0) >= reuseShareMin;
  return {
    workload: {
      promptTokens,
      outputTokens: perRequest(outputs),
      concurrency: concurrency ? Math.max(1, Math.round(concurrency)) : undefined,
      requestsPerSecond: requests || undefined,
      preemptionsPerMinute: preemptions === undefined ? undefined : preemptions * 60,
      prefixReuse: hitRate === undefined ? undefined : reuses ? 'system-prompt' : 'none',
      sharedPrefixTokens:
        reuses && promptTokens !== undefined
          ? Math.round((hitRate as number) * promptTokens)
          : undefined,
    },
    fleet: { engines: Math.max(1, Math.round(engines)), model },
    kvUsePeak,
    hitRate,
  };
}
