// The result of a load run in the keys of `vllm bench serve`, and in additional ones.
import {
  gapsOf,
  type Latencies,
  latenciesOf,
  meets,
  type RequestRecord,
  type ServiceLevel,
} from './latencies.ts';
import { peakChunksPerSecond, peakConcurrency } from './peaks.ts';
import { type Summary, summarize, summarizeInPlace } from './percentile.ts';

/** The four latencies by their names in vLLM's keys: `mean_ttft_ms`, `p99_e2el_ms`, … */
export const latencyNames = ['ttft', 'tpot', 'itl', 'e2el'] as const;
export type LatencyName = (typeof latencyNames)[number];

/** Milliseconds; undefined where no response has the latency. */
export type LatencySummaries = Readonly<Record<LatencyName, Summary | undefined>>;

/** The part of the load that one engine served. */
export interface EngineShare {
  /** The router's name for it; undefined if the server did not report it. */
  readonly name: string | undefined;
  readonly requests: number;
  readonly tokens: number;
}

/** Sorts `a-2` before `a-10`. */
const numeric: Intl.CollatorOptions = { numeric: true };

/** Summary of a run. Durations are in the run's own seconds: GPU seconds under a time scale. */
export interface ServeReport {
  readonly durationSeconds: number;
  /** The requested percentiles. */
  readonly percentiles: readonly number[];
  readonly completed: number;
  readonly failed: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Complete responses within every limit; undefined without limits. */
  readonly good: number | undefined;
  /** From sending, as vLLM measures. */
  readonly fromSent: LatencySummaries;
  /** From the scheduled time of each request, so including the client's own delay. */
  readonly fromScheduled: LatencySummaries;
  /** Sent - scheduled, milliseconds, all requests. */
  readonly clientLag: Summary | undefined;
  /** Of responses whose emulated engine was behind its own clock; wall milliseconds. */
  readonly engineLag: Summary | undefined;
  /** Scheduled requests per second; undefined if all were due at once. */
  readonly offeredRate: number | undefined;
  /** Requests per second actually sent. */
  readonly sentRate: number | undefined;
  readonly peakChunksPerSecond: number;
  readonly peakConcurrency: number;
  /** Prompt tokens of the complete responses that reported how many were cached. */
  readonly cacheQueriedTokens: number;
  readonly cachedTokens: number;
  /** Failures by kind, most frequent first. */
  readonly errors: ReadonlyMap<string, number>;
  /** Requests and prompt tokens of complete responses by the URL of their engine, in order of name. */
  readonly engines: ReadonlyMap<string, EngineShare>;
  /** Complete responses that come from emulated engines. */
  readonly emulated: number;
}

/**
 * Summarises a run.
 *
 * @param records All requests that were due, failed ones included.
 * @param options.durationSeconds From the first request's scheduled time to the end of the last response.
 */
export function reportOf(
  records: readonly RequestRecord[],
  options: {
    readonly durationSeconds: number;
    readonly percentiles: readonly number[];
    readonly limits: ServiceLevel;
  },
): ServeReport {
  const { durationSeconds, percentiles, limits } = options;
  const complete = records.filter((record) => record.error === undefined);
  const fromSent = complete.map((record) => latenciesOf(record));
  const sentSummaries = {
    ...startSummaries(fromSent, percentiles),
    ...tokenSummaries(complete, fromSent, percentiles),
  };
  // Simulated clients are never late, and gaps between tokens do not depend on the start.
  const punctual = complete.every((record) => record.sentSeconds === record.scheduledSeconds);
  const scheduledSummaries = punctual
    ? sentSummaries
    : {
        ...sentSummaries,
        ...startSummaries(
          complete.map((record) => latenciesOf(record, 'scheduled')),
          percentiles,
        ),
      };
  const hasLimits = Object.values(limits).some((limit) => limit !== undefined);
  const withCache = complete.filter((record) => record.cachedTokens !== undefined);
  return {
    durationSeconds,
    percentiles,
    completed: complete.length,
    failed: records.length - complete.length,
    inputTokens: sum(complete.map((record) => record.promptTokens)),
    outputTokens: sum(complete.map((record) => record.outputTokens)),
    good: hasLimits ? fromSent.filter((latencies) => meets(limits, latencies)).length : undefined,
    fromSent: sentSummaries,
    fromScheduled: scheduledSummaries,
    clientLag: summarize(
      records.map((record) => (record.sentSeconds - record.scheduledSeconds) * 1000),
      percentiles,
    ),
    engineLag: summarize(
      complete.flatMap(({ engineLagSeconds }) =>
        engineLagSeconds === undefined ? [] : engineLagSeconds * 1000,
      ),
      percentiles,
    ),
    offeredRate: rateOf(records.map((record) => record.scheduledSeconds)),
    sentRate: rateOf(records.map((record) => record.sentSeconds)),
    peakChunksPerSecond: peakChunksPerSecond(complete),
    peakConcurrency: peakConcurrency(records),
    cacheQueriedTokens: sum(withCache.map((record) => record.promptTokens)),
    cachedTokens: sum(withCache.map((record) => record.cachedTokens ?? 0)),
    errors: errorCounts(records),
    engines: engineShares(complete),
    emulated: complete.filter(({ isEmulated }) => isEmulated).length,
  };
}

/**
 * The most loaded engine's share divided by the mean share: 1 is even, the number of engines means all
 * requests on one. Undefined without engines.
 *
 * @param engineCount Engines of the fleet, including those without a request.
 */
export function loadSpread(
  report: ServeReport,
  by: 'requests' | 'tokens',
  engineCount = report.engines.size,
): number | undefined {
  const shares = [...report.engines.values()].map((engine) => engine[by]);
  const total = sum(shares);
  return total === 0 ? undefined : (Math.max(...shares) * engineCount) / total;
}

/** Latencies that count from token to token. */
function tokenSummaries(
  records: readonly RequestRecord[],
  latencies: readonly Latencies[],
  percentiles: readonly number[],
): Pick<LatencySummaries, 'tpot' | 'itl'> {
  return {
    tpot: summarizeMs(
      latencies.flatMap(({ tpotSeconds }) => tpotSeconds ?? []),
      percentiles,
    ),
    itl: summarizeInPlace(gapsOf(records, 1000), percentiles),
  };
}

/** Latencies that count from the start of the request. */
function startSummaries(
  all: readonly Latencies[],
  percentiles: readonly number[],
): Pick<LatencySummaries, 'ttft' | 'e2el'> {
  return {
    ttft: summarizeMs(
      all.map(({ ttftSeconds }) => ttftSeconds),
      percentiles,
    ),
    e2el: summarizeMs(
      all.map(({ e2eSeconds }) => e2eSeconds),
      percentiles,
    ),
  };
}

function summarizeMs(seconds: readonly number[], percentiles: readonly number[]) {
  return summarize(
    seconds.map((value) => value * 1000),
    percentiles,
  );
}

/** Events per second over the span from the first to the last: n - 1 gaps. */
function rateOf(atSeconds: readonly number[]): number | undefined {
  const sorted = Float64Array.from(atSeconds).sort();
  const span = (sorted.at(-1) ?? 0) - (sorted[0] ?? 0);
  return span > 0 ? (sorted.length - 1) / span : undefined;
}

function errorCounts(records: readonly RequestRecord[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { error } of records) {
    if (error !== undefined) counts.set(error.kind, (counts.get(error.kind) ?? 0) + 1);
  }
  return new Map([...counts].sort(([, a], [, b]) => b - a));
}

function engineShares(records: readonly RequestRecord[]): Map<string, EngineShare> {
  const shares = new Map<string, EngineShare>();
  for (const { engine, engineName: name, promptTokens } of records) {
    if (engine === undefined) continue;
    const { requests, tokens } = shares.get(engine) ?? { requests: 0, tokens: 0 };
    shares.set(engine, { name, requests: requests + 1, tokens: tokens + promptTokens });
  }
  const nameOf = ([url, { name = url }]: readonly [string, EngineShare]) => name;
  return new Map([...shares].sort((a, b) => nameOf(a).localeCompare(nameOf(b), 'en', numeric)));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
