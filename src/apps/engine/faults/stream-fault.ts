// A stream that hangs, drags or breaks off.
import type { ServerResponse } from 'node:http';

export interface StreamFaultPlan {
  /** Stop after this many events, for this long. */
  readonly hang?: { readonly events: number; readonly seconds: number } | undefined;
  /** Each event waits this long after the one before. */
  readonly delayMs?: number | undefined;
  /** Close the connection after this many events. */
  readonly cutAfterEvents?: number | undefined;
}

/** Stands between the writer of one stream and its socket; keeps the order. */
export class StreamFault {
  readonly #response: ServerResponse;
  readonly #plan: StreamFaultPlan;
  /** At most the events of one answer. */
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
      const { hang, delayMs, cutAfterEvents } = this.#plan;
      if (cutAfterEvents !== undefined && this.#sent >= cutAfterEvents) {
        response.destroy();
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
        // Only once the bytes are with the socket: destroying drops what still waits.
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
