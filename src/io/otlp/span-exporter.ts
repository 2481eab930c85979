// Sends kept spans to a collector, in the background and within bounds: a collector that is slow or gone costs spans,
// never requests.
import type { Random } from '../../core/base/index.ts';
import type { KeptFor, Span } from '../../core/telemetry/index.ts';
import type { Logger } from '../log/index.ts';
import { refusalOf } from './export-response.ts';
import type { OtlpChannel, SendResult } from './otlp-channel.ts';
import type { ExportRequests, SpanBatch } from './span-encoding.ts';

/** Spans that wait. Beyond them new ones are dropped and counted; a span takes 1 to 2 KiB. */
export const queueSpansMax = 4_096;
/** The last quarter of the queue is for errors and expensive requests. */
const queueSampledSpansMax = (queueSpansMax * 3) / 4;
/** Spans of one request to the collector, as many as OpenTelemetry's SDK sends by default. */
const batchSpansMax = 512;
/** Empty batches whose memory is kept, some half a MiB each: as many as a second of 1,000 kept traces needs. */
const sparesMax = 4;
/** Size from which a request takes no further trace: collectors take 4 MiB by gRPC by default. */
const batchBytesMax = 1_048_576;
/**
 * Number of traces whose spans are made at once. Code that runs for one request in twenty is no longer in the CPU's caches: the
 * spans of one trace took 5 µs in a loop, and up to 50 µs between requests. This many at once delay other requests by 0.2 ms.
 */
const tracesAtOnce = 32;
/** Interval between rounds of export; one round sends what waits at its start, so the queue bounds the spans per second. */
const exportIntervalMs = 1_000;
/** Pause before the first retry; it doubles with each further one, up to the maximum. */
const retryMinMs = 1_000;
const retryMaxMs = 8_000;
/** Retries that may be made in a row; each request that succeeds gives one back. */
const retryBudgetMax = 5;
/** The log has one line about a failing collector in this time. */
const complaintIntervalMs = 60_000;

/**
 * Why spans were dropped. `queue_full`: they came faster than they could be sent. `collector`: it did not accept them, after
 * retries if they can help. `rejected`: it accepted the request without them. `shutdown`: the program had to end.
 */
export type DropReason = 'queue_full' | 'collector' | 'rejected' | 'shutdown';

export interface SpanExporterParts {
  readonly channel: OtlpChannel;
  readonly requests: ExportRequests;
  /** Deadline of one request to the collector. */
  readonly timeoutMs: number;
  readonly random: Random;
  readonly log: Logger;
  /** @default 1000 */
  readonly intervalMs?: number | undefined;
  /** Pause before the first retry. @default 1000 */
  readonly retryMs?: number | undefined;
}

export class SpanExporter {
  readonly #parts: SpanExporterParts;
  /** The last one takes the next spans. */
  #queue: SpanBatch[] = [];
  /** Empty ones, whose memory is used again. */
  readonly #spares: SpanBatch[] = [];
  #queuedSpans = 0;
  /** Traces whose spans are made later. */
  #unmade: { readonly make: () => readonly Span[]; readonly keptFor: KeptFor }[] = [];
  #round: Promise<void> | undefined = undefined;
  #timer: NodeJS.Timeout | undefined = undefined;
  #retries = retryBudgetMax;
  #isClosed = false;
  /** Ends pauses, so that a round goes on at once. */
  readonly #closing = new AbortController();
  /** Ends everything. */
  readonly #end = new AbortController();
  #complainedAtMs = Number.NEGATIVE_INFINITY;
  /** Spans that a collector has accepted. */
  exportedSpans = 0;
  readonly droppedSpans: Record<DropReason, number> = {
    ...{ queue_full: 0, collector: 0, rejected: 0, shutdown: 0 },
  };

  constructor(parts: SpanExporterParts) {
    this.#parts = parts;
  }

  /** Number of spans that wait, once they are made. */
  get queuedSpans(): number {
    return this.#queuedSpans;
  }

  /** Takes the spans of one trace, or drops them all if the queue has no room for them. */
  add(spans: readonly Span[], keptFor: KeptFor): void {
    const spansMax = keptFor === 'sampled' ? queueSampledSpansMax : queueSpansMax;
    if (this.#isClosed || this.#queuedSpans + spans.length > spansMax) {
      this.droppedSpans[this.#isClosed ? 'shutdown' : 'queue_full'] += spans.length;
      return;
    }
    for (const span of spans) this.#openBatch().add(span);
    this.#queuedSpans += spans.length;
    if (this.#round === undefined) this.#schedule();
  }

  /** Takes one trace, whose spans are made later, together with those of others. */
  addLater(make: () => readonly Span[], keptFor: KeptFor): void {
    this.#unmade.push({ make, keptFor });
    if (this.#isClosed || this.#unmade.length === tracesAtOnce) this.#makeSpans();
    else if (this.#round === undefined) this.#schedule();
  }

  #makeSpans(): void {
    const unmade = this.#unmade;
    this.#unmade = [];
    for (const { make, keptFor } of unmade) this.add(make(), keptFor);
  }

  /** Sends what waits, and closes the connection. @param timeoutMs What has not been sent by then is dropped. */
  async close(timeoutMs: number): Promise<void> {
    if (this.#isClosed) return;
    this.#makeSpans();
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const deadline = setTimeout(() => this.#end.abort(), timeoutMs);
    this.#closing.abort();
    await this.#round;
    await this.#exportWaiting();
    clearTimeout(deadline);
    this.droppedSpans.shutdown += this.#queuedSpans;
    this.#queuedSpans = 0;
    this.#queue = [];
    this.#parts.channel.close();
  }

  /** The batch that takes the next span. */
  #openBatch(): SpanBatch {
    const last = this.#queue.at(-1);
    if (last !== undefined && last.count < batchSpansMax && last.bytes < batchBytesMax) return last;
    const batch = this.#spares.pop() ?? this.#parts.requests.newBatch();
    this.#queue.push(batch);
    return batch;
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#round = this.#exportWaiting().finally(() => {
        this.#round = undefined;
        if (this.#queuedSpans + this.#unmade.length > 0) this.#schedule();
      });
    }, this.#parts.intervalMs ?? exportIntervalMs);
    this.#timer.unref();
  }

  /** Sends the spans that wait now, in batches; stops with the first one that fails. */
  async #exportWaiting(): Promise<void> {
    this.#makeSpans();
    for (let remaining = this.#queue.length; remaining > 0; remaining--) {
      if (this.#end.signal.aborted) return;
      const batch = this.#queue.shift() as SpanBatch;
      this.#queuedSpans -= batch.count;
      if (!(await this.#exportBatch(batch))) return;
    }
  }

  /** @returns Whether the collector has accepted it. */
  async #exportBatch(batch: SpanBatch): Promise<boolean> {
    const { channel, requests, timeoutMs } = this.#parts;
    const body = requests.of(batch);
    for (let tries = 0; ; tries++) {
      const signal = AbortSignal.any([this.#end.signal, AbortSignal.timeout(timeoutMs)]);
      const result = await channel.send(body, signal);
      if (result.kind === 'ok') {
        this.#accepted(batch.count, result.response);
        // Of a request that failed, the connection may still hold the bytes.
        batch.clear();
        if (this.#spares.length < sparesMax) this.#spares.push(batch);
        return true;
      }
      if (this.#end.signal.aborted) this.droppedSpans.shutdown += batch.count;
      else if (this.#mayRetry(result)) {
        await this.#pause(tries, result);
        continue;
      } else this.#refused(batch.count, result.why);
      return false;
    }
  }

  #accepted(spans: number, response: Buffer): void {
    const rejected = refusalOf(response);
    const count = Math.min(rejected.spans, spans);
    this.exportedSpans += spans - count;
    this.droppedSpans.rejected += count;
    this.#retries = Math.min(retryBudgetMax, this.#retries + 1);
    if (count > 0) this.#complain(`the collector refused ${count} spans: ${rejected.why}`);
  }

  #refused(spans: number, why: string): void {
    this.droppedSpans.collector += spans;
    this.#complain(`the collector does not accept spans: ${why}`);
  }

  #mayRetry(result: SendResult): boolean {
    if (result.kind !== 'retry' || this.#retries < 1 || this.#isClosed) return false;
    this.#retries--;
    return true;
  }

  /** Waits before a retry; ends at once when the exporter is closed. */
  async #pause(tries: number, result: SendResult): Promise<void> {
    const { random, retryMs = retryMinMs } = this.#parts;
    const asked = result.kind === 'retry' ? result.afterMs : undefined;
    const growing = Math.min(retryMaxMs, retryMs * 2 ** tries) * (0.8 + 0.4 * random.next());
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#closing.signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, asked ?? growing);
      timer.unref();
      this.#closing.signal.addEventListener('abort', end);
    });
  }

  #complain(text: string): void {
    const nowMs = performance.now();
    if (nowMs - this.#complainedAtMs < complaintIntervalMs) return;
    this.#complainedAtMs = nowMs;
    const { queue_full, collector, rejected } = this.droppedSpans;
    const dropped = queue_full + collector + rejected;
    this.#parts.log.warning(`traces: ${text} (${dropped} spans dropped since the start)`);
  }
}
