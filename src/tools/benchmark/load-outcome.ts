// What a load is before its run, and what has become of it.
import { type RequestRecord, reportOf, type ServeReport } from '../../core/stats/index.ts';
import type { LoadOptions } from './load-options.ts';
import type { LoadSource } from './load-source.ts';
import type { ReplayResult } from './replay.ts';
import type { LoadRequest } from './request-body.ts';
import type { TargetModel } from './target.ts';

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

/** A client process that ended before its load. */
export interface ClientDeath {
  /** From 1. */
  readonly client: number;
  /** A signal, or `status N`. */
  readonly cause: string;
  readonly atSeconds: number;
  /** Requests in flight whose responses are lost. */
  readonly lost: number;
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
  /** CPU time of the client during the run, of all its processes; close to the wall-clock time of each, they are too slow. */
  readonly clientCpuSeconds: number;
  /** Number of processes that sent requests. */
  readonly clients: number;
  readonly clientDeaths: readonly ClientDeath[];
}

/** What the processes of a run, or the only one, have measured. */
export interface ClientRun extends ReplayResult {
  readonly cpuSeconds: number;
}

/** Returns the requests of a run that are known before it, without those that it has no time for. */
export function knownRequests(
  { requests }: LoadSource,
  { untilSeconds = Number.POSITIVE_INFINITY }: LoadOptions,
): readonly LoadRequest[] | undefined {
  return requests?.filter(({ arrivalSeconds }) => arrivalSeconds < untilSeconds);
}

export function planOf(
  model: TargetModel,
  known: readonly LoadRequest[] | undefined,
  count: number | undefined,
): LoadPlan {
  return {
    model,
    count: known?.length ?? count,
    lastSeconds: known?.at(-1)?.arrivalSeconds,
    tooLong: countTooLong(known ?? [], model),
  };
}

/** @param run Its records are in GPU seconds. */
export function outcomeOf(
  run: ClientRun,
  options: LoadOptions,
  plan: LoadPlan,
  clients: Pick<LoadOutcome, 'clients' | 'clientDeaths'>,
): LoadOutcome {
  const { timeScale, limits, percentiles } = options;
  const { records, isPartial, isServerGone, promptMismatches, outputMismatches } = run;
  const durationSeconds = run.durationSeconds * timeScale;
  return {
    report: reportOf(records, { durationSeconds, percentiles, limits }),
    records,
    model: plan.model,
    ...{ isPartial, isServerGone, promptMismatches, outputMismatches },
    requestCount: isPartial ? (plan.count ?? records.length) : records.length,
    clientCpuSeconds: run.cpuSeconds,
    ...clients,
  };
}

function countTooLong(requests: readonly LoadRequest[], { tokensMax }: TargetModel): number {
  if (tokensMax === undefined) return 0;
  return requests.filter((request) => request.promptTokens + request.outputTokens > tokensMax)
    .length;
}
