// One run at one load, without the records of its requests.
import { NoResponseError } from '../../core/base/index.ts';
import type { RequestRecord, ServeReport } from '../../core/stats/index.ts';
import type { LoadOutcome } from '../benchmark/index.ts';

/** What grows in a sweep: requests per second in open loop, or users in a closed loop. */
export type LoadAxis = 'rate' | 'concurrency';

/**
 * Runs the load of a measurement once.
 *
 * @param load Requests per second, or the number of users.
 * @param number Counts the runs from 0, so that each has words of its own: no run may profit from the cache of another.
 */
export type RunAt = (load: number, number: number) => Promise<LoadOutcome>;

/**
 * Runs a load unless it is cut off, which says nothing about the load.
 *
 * @returns undefined if a signal stopped it, or the server has gone since the run before.
 */
export async function completeRun(
  runAt: RunAt,
  load: number,
  number: number,
  signal: AbortSignal,
): Promise<LoadOutcome | undefined> {
  try {
    const outcome = await runAt(load, number);
    return signal.aborted || outcome.isServerGone ? undefined : outcome;
  } catch (error) {
    if (signal.aborted || (number > 0 && error instanceof NoResponseError)) return undefined;
    throw error;
  }
}

/** The figures of one run. Times are GPU seconds under a time scale. */
export interface LoadPoint {
  /** Requests per second, or the number of users. */
  readonly load: number;
  readonly report: ServeReport;
  /** Complete responses per second in the middle of the run, where all of the load is there. */
  readonly throughput: number;
  /** Output tokens per second of those responses. */
  readonly tokenThroughput: number;
  /** Mean end-to-end latency; Infinity if no response is complete. */
  readonly latencySeconds: number;
  /** Whether the server falls behind the rate: it would need ever longer. */
  readonly isBehind: boolean;
  /** Share of all requests within the service level; undefined without one. */
  readonly goodShare: number | undefined;
}

/** Share of the requests that came in which a server must complete to keep up. */
const keptUpShare = 0.9;

export function loadPoint(axis: LoadAxis, load: number, outcome: LoadOutcome): LoadPoint {
  const { report, records } = outcome;
  const latency = report.fromSent.e2el;
  // The fastest response: in an overloaded server, that of a request that did not wait.
  const middle = middleOf(records, (latency?.min ?? 0) / 1000);
  const latencySeconds = (latency?.mean ?? Number.POSITIVE_INFINITY) / 1000;
  return {
    load,
    report,
    throughput: middle.completed / middle.seconds,
    tokenThroughput: middle.tokens / middle.seconds,
    latencySeconds,
    isBehind: axis === 'rate' && isBehind(middle, load * latencySeconds),
    goodShare:
      report.good === undefined
        ? undefined
        : report.good / Math.max(1, report.completed + report.failed),
  };
}

/** What came in and what was completed in a part of a run. */
interface Middle {
  readonly due: number;
  readonly completed: number;
  /** Output tokens of the complete responses. */
  readonly tokens: number;
  readonly seconds: number;
}

/**
 * Whether clearly less was completed than came in. The two differ by the change of the number in flight, of which chance
 * explains two standard deviations: the root of twice the mean for Poisson counts.
 *
 * @param inFlight Mean number of requests in flight, by Little's law.
 */
function isBehind({ due, completed }: Middle, inFlight: number): boolean {
  return completed < keptUpShare * due - 2 * Math.sqrt(2 * Math.min(due, inFlight));
}

/**
 * Returns the part of a run with all of its load: from when the first responses are complete, or a tenth, to when
 * the last request is due. That is the whole run if it would be less than half.
 */
function middleOf(records: readonly RequestRecord[], latencySeconds: number): Middle {
  const last = records.reduce((latest, { sentSeconds }) => Math.max(latest, sentSeconds), 0);
  const first = Math.max(last / 10, latencySeconds);
  if (first > last / 2) {
    const end = records.reduce((latest, record) => Math.max(latest, endOf(record)), 0);
    return between(records, 0, end);
  }
  return between(records, first, last);
}

function between(records: readonly RequestRecord[], from: number, to: number): Middle {
  let [due, completed, tokens] = [0, 0, 0];
  for (const record of records) {
    if (record.scheduledSeconds >= from && record.scheduledSeconds <= to) due++;
    const end = endOf(record);
    if (record.error !== undefined || end < from || end > to) continue;
    completed++;
    tokens += record.outputTokens;
  }
  return { due, completed, tokens, seconds: to > from ? to - from : Number.POSITIVE_INFINITY };
}

function endOf({ chunkSeconds, sentSeconds }: RequestRecord): number {
  return chunkSeconds.at(-1) ?? sentSeconds;
}
