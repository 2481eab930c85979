// Sends requests and waits for their responses. In open loop each is sent when it is due, whether or not
// earlier ones have finished; in a closed loop, when one of the users is free.
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../core/base/index.ts';
import type { RequestRecord } from '../../core/stats/index.ts';
import type { LoadRequest, RequestWriter } from './request-body.ts';
import type { StreamClient, StreamedAnswer } from './stream-client.ts';

/** Number of bodies written in advance, so that writing 100 KB does not delay a request that is due. */
const preparedBodiesMax = 64;

/** Progress of a run. */
export interface ReplayProgress {
  readonly total: number;
  readonly sent: number;
  readonly completed: number;
  readonly failed: number;
  readonly seconds: number;
}

/** Result of a run. */
export interface ReplayResult {
  /** One record per request that was sent, in order of arrival; times in seconds since the start. */
  readonly records: readonly RequestRecord[];
  /** From the start to the end of the last response, in wall-clock seconds. */
  readonly durationSeconds: number;
  /** Whether the run was stopped before its end. */
  readonly isPartial: boolean;
  /** Whether it was stopped because `refusedMax` connections in a row were refused. */
  readonly isServerGone: boolean;
  /** Number of complete responses whose prompt had another length than requested, by the server's count. */
  readonly promptMismatches: number;
  /** Number of complete responses of another length than requested. */
  readonly outputMismatches: number;
}

/**
 * Sends the requests at their arrival times and waits for all responses.
 *
 * @param options.requests In order of arrival; the first is due at its arrivalSeconds, usually 0.
 * @param options.concurrencyMax Requests under way at once; one that is due beyond it waits, and
 *   its wait is counted as client lag.
 * @param options.users Closed loop: that many requests at once, each due when one before it has ended, if
 *   that is later than its own time.
 * @param options.untilSeconds Nothing is sent after this time; the run is complete nevertheless.
 * @param options.signal Stops sending, ends what is under way, and returns what there is.
 */
export async function replay(options: {
  readonly requests: readonly LoadRequest[];
  readonly writer: RequestWriter;
  readonly client: StreamClient;
  readonly clock: Clock;
  readonly concurrencyMax?: number | undefined;
  readonly users?: number | undefined;
  readonly untilSeconds?: number | undefined;
  /** Number of refused connections in a row that stops the run. @default no limit */
  readonly refusedMax?: number | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: ReplayProgress) => void) | undefined;
}): Promise<ReplayResult> {
  const { requests, writer, client, clock, refusedMax = Number.POSITIVE_INFINITY } = options;
  const gone = new AbortController();
  const signal = AbortSignal.any([options.signal, gone.signal]);
  let refusedInARow = 0;
  const { concurrencyMax = Number.POSITIVE_INFINITY, users = Number.POSITIVE_INFINITY } = options;
  const untilSeconds = options.untilSeconds ?? Number.POSITIVE_INFINITY;
  const openMax = Math.min(concurrencyMax, users);
  let isEnough = false;
  const records: (RequestRecord | undefined)[] = [];
  const running = new Set<Promise<void>>();
  let wakeWaiting: (() => void) | undefined;
  const bodies = new BodiesAhead(requests, writer);
  // The first burst is due at once, so its bodies are written before the clock starts.
  while (!signal.aborted && bodies.prepareOne()) await nextTurn();
  const startSeconds = clock.nowSeconds();
  const counts = { sent: 0, completed: 0, failed: 0 };
  const mismatches = { promptMismatches: 0, outputMismatches: 0 };
  const report = () =>
    options.onProgress?.({
      total: requests.length,
      ...counts,
      seconds: clock.nowSeconds() - startSeconds,
    });

  for (const [index, request] of requests.entries()) {
    const dueSeconds = startSeconds + request.arrivalSeconds;
    await waitUntil(dueSeconds, clock, bodies, signal);
    while (running.size >= openMax && !signal.aborted) {
      await new Promise<void>((resolve) => {
        wakeWaiting = resolve;
      });
    }
    if (signal.aborted) break;
    const nowSeconds = clock.nowSeconds() - startSeconds;
    isEnough = nowSeconds >= untilSeconds;
    if (isEnough) break;
    counts.sent++;
    const scheduledSeconds =
      options.users === undefined
        ? request.arrivalSeconds
        : Math.max(request.arrivalSeconds, nowSeconds);
    const exchange = client.send(writer.path, bodies.take(index), signal).then((answer) => {
      const record = recordOf(
        { ...request, arrivalSeconds: scheduledSeconds },
        answer,
        startSeconds,
      );
      records[index] = record;
      if (record.error === undefined) {
        counts.completed++;
        if (record.promptTokens !== request.promptTokens) mismatches.promptMismatches++;
        if (record.outputTokens !== request.outputTokens) mismatches.outputMismatches++;
      } else {
        counts.failed++;
      }
      if (record.error?.kind === 'refused') refusedInARow++;
      else if (fromServer(record.error?.kind)) refusedInARow = 0;
      if (refusedInARow >= refusedMax) gone.abort();
      running.delete(exchange);
      wakeWaiting?.();
      report();
    });
    running.add(exchange);
    report();
  }
  await Promise.all(running);
  return {
    records: records.filter((record) => record !== undefined),
    durationSeconds: clock.nowSeconds() - startSeconds,
    isPartial: (counts.sent < requests.length && !isEnough) || signal.aborted,
    isServerGone: gone.signal.aborted,
    ...mismatches,
  };
}

/** Whether the server responded to a request with this error, or with none. */
function fromServer(kind: string | undefined): boolean {
  return kind === undefined || !['connect', 'cut', 'timeout', 'interrupted'].includes(kind);
}

/** Waits for a request's time, writing the next bodies meanwhile. */
async function waitUntil(
  dueSeconds: number,
  clock: Clock,
  bodies: BodiesAhead,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const waitMs = (dueSeconds - clock.nowSeconds()) * 1000;
    if (waitMs <= 0 || signal.aborted) return;
    // Writes one body at a time, so that chunks that arrive in between get their time stamp.
    if (bodies.prepareOne()) await nextTurn();
    else await delay(waitMs, undefined, { signal }).catch(() => {});
  }
}

/** The bodies of the next requests, written before they are due. */
class BodiesAhead {
  readonly #requests: readonly LoadRequest[];
  readonly #writer: RequestWriter;
  readonly #bodies = new Map<number, Uint8Array>();
  #next = 0;

  constructor(requests: readonly LoadRequest[], writer: RequestWriter) {
    this.#requests = requests;
    this.#writer = writer;
  }

  /** Writes one body ahead; false if enough are written. */
  prepareOne(): boolean {
    const request = this.#requests[this.#next];
    if (request === undefined || this.#bodies.size >= preparedBodiesMax) return false;
    this.#bodies.set(this.#next++, this.#writer.body(request));
    return true;
  }

  /** Returns the body of a request; indexes must ascend. */
  take(index: number): Uint8Array {
    while (this.#next <= index) {
      if (!this.prepareOne()) throw new RangeError(`No request ${index}`);
    }
    const body = this.#bodies.get(index);
    this.#bodies.delete(index);
    if (body === undefined) throw new RangeError(`The body of request ${index} was taken before`);
    return body;
  }
}

function recordOf(
  request: LoadRequest,
  answer: StreamedAnswer,
  startSeconds: number,
): RequestRecord {
  const { usage, chunkSeconds } = answer;
  return {
    scheduledSeconds: request.arrivalSeconds,
    sentSeconds: answer.sentSeconds - startSeconds,
    chunkSeconds: chunkSeconds.map((at) => at - startSeconds),
    promptTokens: usage?.promptTokens ?? request.promptTokens,
    outputTokens: usage?.outputTokens ?? chunkSeconds.length,
    cachedTokens: usage?.cachedTokens,
    engine: answer.engine,
    engineName: answer.engineName,
    isEmulated: answer.isEmulated,
    engineLagSeconds: answer.engineLagSeconds,
    error: answer.error,
  };
}
