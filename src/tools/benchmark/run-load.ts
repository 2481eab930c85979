// Sends load to a server and summarises its responses: what `bench replay`, `bench serve` and `compare` share.
import { type Clock, InputError } from '../../core/base/index.ts';
import {
  type RequestRecord,
  reportOf,
  type ServeReport,
  type ServiceLevel,
} from '../../core/stats/index.ts';
import type { LoadSource } from './load-source.ts';
import { type ReplayProgress, replay } from './replay.ts';
import type { LoadRequest, RequestWriter } from './request-body.ts';
import { createStreamClient, type StreamClient } from './stream-client.ts';
import { findModel, type TargetModel } from './target.ts';
import { recordInGpuTime, toGpuTime } from './time-scale.ts';

/** The server, and how it is measured. */
export interface LoadOptions {
  /** Base URL of an OpenAI API, e.g. `http://127.0.0.1:8000/v1`. */
  readonly url: URL;
  /** @default the first model that the server lists */
  readonly model?: string | undefined;
  readonly apiKey?: string | undefined;
  /** Further headers of each request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** GPU seconds per wall-clock second of the engines; arrivals follow, and results are in GPU time. */
  readonly timeScale: number;
  /** Requests under way at once; one that is due beyond it waits, which counts as client lag. */
  readonly concurrencyMax?: number | undefined;
  /** Closed loop: requests under way at once; none is due before one of them has ended. */
  readonly users?: number | undefined;
  /** Time after which nothing is sent, in wall-clock seconds. @default none */
  readonly untilSeconds?: number | undefined;
  /** Header that carries a request's session, such as `x-user-id`. @default none */
  readonly sessionHeader?: string | undefined;
  /** Number of refused connections in a row that stops the run. @default no limit */
  readonly refusedMax?: number | undefined;
  /** Timeout of one request, in wall-clock milliseconds. */
  readonly timeoutMs: number;
  /** Number of short requests that are sent one after another before the clock starts; not measured. */
  readonly warmupRequests: number;
  readonly limits: ServiceLevel;
  readonly percentiles: readonly number[];
}

/** What a run will send, and to whom. */
export interface LoadPlan {
  readonly model: TargetModel;
  /** Number of requests; undefined if it is not known. */
  readonly count: number | undefined;
  /** When the last request is due, in wall-clock seconds; undefined if it is not known. */
  readonly lastSeconds: number | undefined;
  /** Number of requests that are longer than the model allows, as far as known; the server will refuse them. */
  readonly tooLong: number;
}

/** A finished or interrupted run. */
export interface LoadOutcome {
  readonly report: ServeReport;
  /** One record per request, in GPU seconds. */
  readonly records: readonly RequestRecord[];
  readonly model: TargetModel;
  readonly isPartial: boolean;
  /** Whether it ended because the server refused too many connections in a row. */
  readonly isServerGone: boolean;
  /** Number of requests that were to be sent; where that is not known, of those that were. */
  readonly requestCount: number;
  /** Number of requests whose prompt had another length than intended, by the server's own count. */
  readonly promptMismatches: number;
  /** Number of requests whose response had another length than intended. */
  readonly outputMismatches: number;
  /** CPU time of this process during the run; close to the wall-clock time, the client is too slow. */
  readonly clientCpuSeconds: number;
}

/** What a run needs from its caller. */
export interface LoadContext {
  readonly clock: Clock;
  /** Stops the run; what was measured so far is returned. */
  readonly signal: AbortSignal;
  readonly onReady?: (plan: LoadPlan) => void;
  readonly onProgress?: (progress: ReplayProgress) => void;
  /** Called when a request has ended; times are GPU seconds. */
  readonly onRecord?: (record: RequestRecord) => void;
  /** Whether the outcome has the records; without, its report is empty. @default true */
  readonly keepsRecords?: boolean;
}

/**
 * Runs a load.
 *
 * @param sourceFor Called once, with the model that the server has.
 * @throws {InputError} If the server lacks the model, or refuses the first warm-up request.
 * @throws {NoResponseError} If the server cannot be reached.
 */
export async function runLoad(
  options: LoadOptions,
  sourceFor: (model: TargetModel) => LoadSource | Promise<LoadSource>,
  context: LoadContext,
): Promise<LoadOutcome> {
  const { url, apiKey, headers, timeScale, limits, percentiles } = options;
  const { clock, signal, onRecord } = context;
  const model = await findModel({ url, apiKey, headers, model: options.model, signal });
  const source = await sourceFor(model);
  const { untilSeconds = Number.POSITIVE_INFINITY } = options;
  const known = source.requests?.filter(({ arrivalSeconds }) => arrivalSeconds < untilSeconds);
  const client = createStreamClient({
    ...{ url, apiKey, headers, clock },
    timeoutMs: options.timeoutMs,
  });
  try {
    await warmUp(options.warmupRequests, source.writer, client, signal);
    context.onReady?.({
      model,
      count: known?.length ?? source.count,
      lastSeconds: known?.at(-1)?.arrivalSeconds,
      tooLong: countTooLong(known ?? [], model),
    });
    const cpuAtStart = process.cpuUsage();
    const run = await replay({
      ...{ source, client, clock, signal },
      concurrencyMax: options.concurrencyMax,
      users: options.users,
      untilSeconds: options.untilSeconds,
      refusedMax: options.refusedMax,
      sessionHeader: options.sessionHeader,
      onProgress: context.onProgress,
      keepsRecords: context.keepsRecords,
      onRecord: onRecord && ((record) => onRecord(recordInGpuTime(record, timeScale))),
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
      requestCount: run.isPartial ? (known?.length ?? run.records.length) : run.records.length,
      promptMismatches: run.promptMismatches,
      outputMismatches: run.outputMismatches,
      clientCpuSeconds: (cpu.user + cpu.system) / 1e6,
    };
  } finally {
    client.close();
  }
}

function countTooLong(requests: readonly LoadRequest[], { tokensMax }: TargetModel): number {
  if (tokensMax === undefined) return 0;
  return requests.filter((request) => request.promptTokens + request.outputTokens > tokensMax)
    .length;
}

/** Opens connections and warms up both programs with prompts that occur in no load. */
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
    const { error } = await client.send({ api: writer.api, body: writer.body(request) }, signal);
    if (error !== undefined && error.kind !== 'interrupted') {
      throw new InputError(`The first warm-up request failed (${error.kind}): ${error.message}.`);
    }
  }
}
