// Sends requests and waits for their responses. In open loop each is sent when it is due, whether or not
// earlier ones have finished; in a closed loop, when one of the users is free.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../core/base/index.ts';
import type { RequestRecord } from '../../core/stats/index.ts';
import type { LoadSource } from './load-source.ts';
import type { LoadRequest } from './request-body.ts';
import type { StreamClient } from './stream-client.ts';
import type { StreamedAnswer } from './stream-exchange.ts';

/** Longest delay of a timer of Node. */
const timerMsMax = 2 ** 31 - 1;

/** Progress of a run. */
export interface ReplayProgress {
  /** Number of requests; undefined if it is not known. */
  readonly total: number | undefined;
  readonly sent: number;
  readonly completed: number;
  readonly failed: number;
  readonly seconds: number;
  /** When the last request is due; undefined if it is not known. */
  readonly lastSeconds?: number | undefined;
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

/** What a run sends, and where it ends. */
export interface ReplayOptions {
  readonly source: LoadSource;
  readonly client: StreamClient;
  readonly clock: Clock;
  /** Requests under way at once; one that is due beyond it waits, and its wait is counted as client lag. */
  readonly concurrencyMax?: number | undefined;
  /**
   * Closed loop: that many requests at once, each due when one before it has ended, if that is later than its
   * own time.
   */
  readonly users?: number | undefined;
  /** Nothing is sent after this time; the run is complete nevertheless. */
  readonly untilSeconds?: number | undefined;
  /** Number of refused connections in a row that stops the run. @default no limit */
  readonly refusedMax?: number | undefined;
  /** Header that carries a request's session. @default none */
  readonly sessionHeader?: string | undefined;
  /** Returns when the run starts, on the clock; called when the first bodies are written. @default at once */
  readonly start?: (() => number | Promise<number>) | undefined;
  /** Stops sending, ends what is under way, and returns what there is. */
  readonly signal: AbortSignal;
  /** Whether the result has the records; a soak has too many. @default true */
  readonly keepsRecords?: boolean | undefined;
  /** Called when a request has ended. */
  readonly onRecord?: ((record: RequestRecord) => void) | undefined;
  readonly onProgress?: ((progress: ReplayProgress) => void) | undefined;
}

/** Sends the requests when they are due and waits for all responses. */
export function replay(options: ReplayOptions): Promise<ReplayResult> {
  return new Replay(options).run();
}

class Replay {
  readonly #options: ReplayOptions;
  readonly #signal: AbortSignal;
  readonly #gone = new AbortController();
  readonly #openMax: number;
  readonly #untilSeconds: number;
  readonly #lastSeconds: number | undefined;
  readonly #records: (RequestRecord | undefined)[] = [];
  readonly #running = new Set<Promise<void>>();
  #startSeconds = 0;
  #sent = 0;
  #completed = 0;
  #failed = 0;
  #promptMismatches = 0;
  #outputMismatches = 0;
  #refusedInARow = 0;
  #wake: (() => void) | undefined;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#gone.signal]);
    this.#signal.addEventListener('abort', () => this.#wake?.(), { once: true });
    const { concurrencyMax = Number.POSITIVE_INFINITY, users = Number.POSITIVE_INFINITY } = options;
    this.#openMax = Math.min(concurrencyMax, users);
    this.#untilSeconds = options.untilSeconds ?? Number.POSITIVE_INFINITY;
    // Arrivals of a closed loop say nothing about its end.
    const listed = options.users === undefined ? options.source.requests?.at(-1) : undefined;
    const lastSeconds = Math.min(
      listed?.arrivalSeconds || Number.POSITIVE_INFINITY,
      this.#untilSeconds,
    );
    this.#lastSeconds = Number.isFinite(lastSeconds) ? lastSeconds : undefined;
  }

  async run(): Promise<ReplayResult> {
    const { source, clock, start = () => clock.nowSeconds() } = this.#options;
    const signal = this.#signal;
    // The first burst is due at once, so its bodies are written before the clock starts.
    while (!signal.aborted && source.prepare()) await nextTurn();
    this.#startSeconds = await start();
    while (!signal.aborted && (await this.#untilDue())) {
      while (this.#running.size >= this.#openMax && !signal.aborted) await this.#nextEnd();
      if (signal.aborted || this.#nowSeconds() >= this.#untilSeconds) break;
      this.#send();
    }
    await Promise.all(this.#running);
    return {
      records: this.#records.filter((record) => record !== undefined),
      durationSeconds: this.#nowSeconds(),
      isPartial: signal.aborted,
      isServerGone: this.#gone.signal.aborted,
      promptMismatches: this.#promptMismatches,
      outputMismatches: this.#outputMismatches,
    };
  }

  /** Waits until a request is due, writing the next bodies meanwhile. @returns Whether there is one. */
  async #untilDue(): Promise<boolean> {
    const { source } = this.#options;
    for (;;) {
      const dueSeconds = source.nextSeconds;
      if (this.#signal.aborted) return false;
      if (dueSeconds === Number.POSITIVE_INFINITY) {
        // A response may make a request due.
        if (this.#running.size === 0) return false;
        await this.#nextEnd();
        continue;
      }
      if (dueSeconds >= this.#untilSeconds) return false;
      const waitMs = (dueSeconds - this.#nowSeconds()) * 1000;
      if (waitMs <= 0) return true;
      // Writes one body at a time, so that chunks that arrive in between get their time stamp.
      if (source.prepare()) await nextTurn();
      else await this.#nextEnd(waitMs);
    }
  }

  /** Waits until a request ends or the run is stopped, at most for a time. */
  #nextEnd(atMostMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer =
        atMostMs === undefined ? undefined : setTimeout(resolve, Math.min(atMostMs, timerMsMax));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #send(): void {
    const { source, client, users, sessionHeader } = this.#options;
    const { request, body } = source.take();
    const index = this.#sent++;
    const scheduledSeconds =
      users === undefined
        ? request.arrivalSeconds
        : Math.max(request.arrivalSeconds, this.#nowSeconds());
    const { api } = source.writer;
    const headers =
      sessionHeader === undefined || request.session === undefined
        ? undefined
        : { [sessionHeader]: request.session };
    const keepsText = source.needsTexts;
    const exchange = client.send({ api, body, headers, keepsText }, this.#signal).then((answer) => {
      const record = recordOf(
        { ...request, arrivalSeconds: scheduledSeconds },
        answer,
        this.#startSeconds,
      );
      if (this.#options.keepsRecords !== false) this.#records[index] = record;
      this.#options.onRecord?.(record);
      this.#count(request, record);
      this.#running.delete(exchange);
      source.ended(index, this.#nowSeconds(), record.error === undefined ? answer.text : undefined);
      this.#wake?.();
      this.#report();
    });
    this.#running.add(exchange);
    this.#report();
  }

  #count(request: LoadRequest, { error, promptTokens, outputTokens }: RequestRecord): void {
    if (error === undefined) {
      this.#completed++;
      // A response within a prompt may be split into other tokens than those that were generated.
      const isExact = !request.parts?.some((part) => 'response' in part);
      const { writer } = this.#options.source;
      if (isExact && promptTokens !== writer.serverTokens(request)) this.#promptMismatches++;
      const { lengthField } = writer.api;
      if (lengthField !== undefined && outputTokens !== request.outputTokens) {
        this.#outputMismatches++;
      }
    } else {
      this.#failed++;
    }
    if (error?.kind === 'refused') this.#refusedInARow++;
    else if (fromServer(error?.kind)) this.#refusedInARow = 0;
    const { refusedMax = Number.POSITIVE_INFINITY } = this.#options;
    if (this.#refusedInARow >= refusedMax) this.#gone.abort();
  }

  #report(): void {
    const { source, onProgress } = this.#options;
    onProgress?.({
      total: source.count,
      sent: this.#sent,
      completed: this.#completed,
      failed: this.#failed,
      seconds: this.#nowSeconds(),
      lastSeconds: this.#lastSeconds,
    });
  }

  #nowSeconds(): number {
    return this.#options.clock.nowSeconds() - this.#startSeconds;
  }
}

/** Whether the server responded to a request with this error, or with none. */
function fromServer(kind: string | undefined): boolean {
  return kind === undefined || !['connect', 'cut', 'timeout', 'interrupted'].includes(kind);
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
    ...(answer.error === undefined ? {} : { endSeconds: answer.endSeconds - startSeconds }),
    promptTokens: usage?.promptTokens ?? request.promptTokens,
    outputTokens: usage?.outputTokens ?? chunkSeconds.length,
    cachedTokens: usage?.cachedTokens,
    engine: answer.engine,
    engineName: answer.engineName,
    isEmulated: answer.isEmulated,
    engineLagSeconds: answer.engineLagSeconds,
    ...(request.session === undefined ? {} : { session: request.session }),
    error: answer.error,
  };
}
