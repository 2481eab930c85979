// Makes a stream hang, slow down, break off or end with an error.
import type { ServerResponse } from 'node:http';
import { ApiError, sseDone, sseEvent } from '../../../core/api/index.ts';
import type { EventSink } from '../http/exchange.ts';

export interface StreamFaultPlan {
  /** Stop after this many events, for this long. */
  readonly hang?: { readonly events: number; readonly seconds: number } | undefined;
  /** Delay of each event after the previous one. */
  readonly delayMs?: number | undefined;
  /** Close the connection after this many events. */
  readonly cutAfterEvents?: number | undefined;
  /** End with an error event after this many events. */
  readonly errorAfterEvents?: number | undefined;
}

/** Between the writer of one stream and its socket; preserves the order. */
export class StreamFault implements EventSink {
  readonly #response: ServerResponse;
  readonly #plan: StreamFaultPlan;
  /** Maximum length: the events of one response. */
  readonly #queue: { text: string; isEnd: boolean }[] = [];
  #sent = 0;
  #timer: NodeJS.Timeout | undefined;
  #hasHung = false;
  #isCut = false;

  constructor(response: ServerResponse, plan: StreamFaultPlan) {
    this.#response = response;
    this.#plan = plan;
    response.once('close', () => {
      clearTimeout(this.#timer);
      this.#queue.length = 0;
    });
  }

  write(events: string): void {
    this.#push(events, false);
  }

  end(events: string): void {
    this.#push(events, true);
  }

  #push(events: string, isEnd: boolean): void {
    const parts = events.split('\n\n').filter((part) => part !== '');
    parts.forEach((part, i) => {
      this.#queue.push({ text: `${part}\n\n`, isEnd: isEnd && i === parts.length - 1 });
    });
    this.#drain();
  }

  #drain(): void {
    const response = this.#response;
    while (this.#queue.length > 0 && this.#timer === undefined && !this.#isCut) {
      const { hang, delayMs, cutAfterEvents, errorAfterEvents } = this.#plan;
      if (cutAfterEvents !== undefined && this.#sent >= cutAfterEvents) {
        response.destroy();
        return;
      }
      if (errorAfterEvents !== undefined && this.#sent >= errorAfterEvents) {
        const error = new ApiError(500, 'InternalServerError', 'Injected fault.');
        this.#isCut = true;
        response.end(sseEvent(error.body()) + sseDone);
        return;
      }
      if (hang && !this.#hasHung && this.#sent >= hang.events) {
        this.#hasHung = true;
        this.#wait(hang.seconds * 1000);
        return;
      }
      const event = this.#queue.shift();
      if (event === undefined) return;
      this.#sent++;
      if (this.#sent === cutAfterEvents && !event.isEnd) {
        // Only once the socket has the bytes, because destroying it drops queued ones.
        response.write(event.text, () => response.destroy());
        this.#isCut = true;
        return;
      }
      if (event.isEnd) response.end(event.text);
      else response.write(event.text);
      if (delayMs !== undefined) this.#wait(delayMs);
    }
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#drain();
    }, ms);
  }
}
