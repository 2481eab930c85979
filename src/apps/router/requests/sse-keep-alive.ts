// Comments on streams whose first token is late, so that nothing between client and router takes them for dead.
import type { ResponseHead, Ticker } from '../../../io/http/index.ts';
import { isEventStream } from './proxy-heads.ts';

/** The comment of vLLM's `--sse-keep-alive-interval`. Clients of server-sent events skip comments. */
const comment = ': keep-alive\n\n';
/** The same as a chunk of a body. */
export const keepAliveChunk = Buffer.from(`${comment.length.toString(16)}\r\n${comment}\r\n`);

/** A stream without data yet. */
export interface SilentStream {
  /** It has been silent for another interval. */
  onSilence(): void;
}

/** Holds at most one entry per request in flight, of which `--max-connections` is the bound. */
export class SseKeepAlive {
  readonly #intervalMs: number;
  /** By stream, when it is due; the first is due first, because all have the same interval. */
  readonly #dueMs = new Map<SilentStream, number>();

  constructor(ticker: Ticker, intervalSeconds: number) {
    this.#intervalMs = intervalSeconds * 1000;
    ticker.add({ onTick: () => this.#look() });
  }

  /** The head of its response has arrived, and no data. */
  add(stream: SilentStream): void {
    if (!this.#dueMs.has(stream)) this.#dueMs.set(stream, performance.now() + this.#intervalMs);
  }

  remove(stream: SilentStream): void {
    this.#dueMs.delete(stream);
  }

  #look(): void {
    const nowMs = performance.now();
    for (const [stream, dueMs] of this.#dueMs) {
      if (dueMs > nowMs) return;
      this.#dueMs.delete(stream);
      this.#dueMs.set(stream, nowMs + this.#intervalMs);
      stream.onSilence();
    }
  }
}

/** Whether comments can be sent on a response with this head, and another engine's events after them. */
export function takesComments(head: ResponseHead): boolean {
  return head.status === 200 && head.framing === 'chunked' && isEventStream(head);
}
