// The JSON that `vllm bench serve --save-result --save-detailed` writes, key by key.
import { gapsOf, latenciesOf, type RequestRecord } from './latencies.ts';
import { type LatencySummaries, latencyNames, type ServeReport } from './serve-report.ts';

/**
 * The report in vLLM's keys. Two values differ from vLLM's on purpose: a quantity without a sample, and a
 * percentile of too small a sample, are null, where vLLM writes 0 or one of the largest values.
 *
 * @param records The records of the report, in the order of the arrays.
 * @returns Arrays (`ttfts`, `itls`, …) hold every request, failed ones with 0, like vLLM's;
 *   `start_times` are seconds since the run began.
 * @see https://github.com/vllm-project/vllm/blob/main/vllm/benchmarks/serve.py
 */
export function toServeJson(
  report: ServeReport,
  records: readonly RequestRecord[],
): Record<string, unknown> {
  const latencies = records.map((record) =>
    record.error === undefined ? latenciesOf(record) : undefined,
  );
  return {
    ...serveSummaryJson(report),
    input_lens: records.map((record) => record.promptTokens),
    output_lens: records.map((record) => (record.error === undefined ? record.outputTokens : 0)),
    ttfts: latencies.map((all) => all?.ttftSeconds ?? 0),
    itls: records.map((record) => (record.error === undefined ? [...gapsOf([record])] : [])),
    latencies: latencies.map((all) => all?.e2eSeconds ?? 0),
    start_times: records.map((record) => record.sentSeconds),
    queue_times: records.map((record) => record.sentSeconds - record.scheduledSeconds),
    errors: records.map((record) => record.error?.message ?? ''),
  };
}

/** The same without the arrays: what `vllm bench serve --save-result` writes about a run as a whole. */
export function serveSummaryJson(report: ServeReport): Record<string, number | null> {
  const seconds = report.durationSeconds;
  const perSecond = (count: number) => (seconds > 0 ? count / seconds : 0);
  return {
    duration: seconds,
    completed: report.completed,
    failed: report.failed,
    total_input_tokens: report.inputTokens,
    total_output_tokens: report.outputTokens,
    request_throughput: perSecond(report.completed),
    request_goodput: report.good === undefined ? null : perSecond(report.good),
    output_throughput: perSecond(report.outputTokens),
    total_token_throughput: perSecond(report.inputTokens + report.outputTokens),
    max_output_tokens_per_s: report.peakChunksPerSecond,
    max_concurrent_requests: report.peakConcurrency,
    ...latencyKeys(report.fromSent, report.percentiles),
  };
}

/**
 * Latencies in vLLM's keys: `mean_ttft_ms`, `median_tpot_ms`, `std_itl_ms`, `p99_e2el_ms`, …
 *
 * @param percentiles The percentiles of the summaries.
 */
export function latencyKeys(
  summaries: LatencySummaries,
  percentiles: readonly number[],
): Record<string, number | null> {
  const keys: Record<string, number | null> = {};
  for (const name of latencyNames) {
    const summary = summaries[name];
    keys[`mean_${name}_ms`] = summary?.mean ?? null;
    keys[`median_${name}_ms`] = summary?.median ?? null;
    keys[`std_${name}_ms`] = summary?.std ?? null;
    percentiles.forEach((q, index) => {
      keys[`p${q}_${name}_ms`] = summary?.percentiles[index]?.value ?? null;
    });
  }
  return keys;
}
