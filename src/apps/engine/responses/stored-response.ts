// One stored response: its current state, its events, and the clients that wait for more of them.
import type { ChatMessage } from '../../../core/api/index.ts';
import type { Exchange } from '../http/exchange.ts';
import type { ResponseOutput } from './response-output.ts';

export class StoredResponse {
  readonly messages: readonly ChatMessage[];
  /** Stops the engine's work for it. */
  abort: () => void = () => undefined;
  #response: object;
  #isOver = false;
  readonly #events: string[] | undefined;
  readonly #readers = new Set<() => void>();
  #characters: number;

  /** @param events Undefined if they are not kept: only background streams can be read again. */
  constructor(response: object, messages: readonly ChatMessage[], events?: string[]) {
    this.#response = response;
    this.messages = messages;
    this.#events = events;
    this.#characters = JSON.stringify(messages).length + JSON.stringify(response).length;
  }

  get response(): object {
    return this.#response;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get hasEvents(): boolean {
    return this.#events !== undefined;
  }

  get characters(): number {
    return this.#characters;
  }

  /** Replaces a client as the destination. */
  get output(): ResponseOutput {
    return {
      open: () => undefined,
      write: (events) => this.#add(events),
      finish: (events, response) => {
        this.#add(events);
        this.finish(response);
      },
    };
  }

  /** Completes the response; nothing follows. */
  finish(response: object): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#characters += JSON.stringify(response).length;
    this.#response = response;
    for (const wake of this.#readers) wake();
    this.#readers.clear();
  }

  /** Ends the response early. */
  end(status: 'cancelled' | 'failed'): void {
    this.finish({ ...this.#response, status });
  }

  /** Streams its events to a client, from a given one on, as they arrive. */
  streamTo(exchange: Exchange, from: number): void {
    const events = this.#events ?? [];
    let next = from;
    const send = () => {
      const newEvents = events.slice(next).join('');
      next = Math.max(next, events.length);
      if (this.#isOver) exchange.end(newEvents);
      else if (newEvents !== '') exchange.write(newEvents);
    };
    exchange.openStream();
    if (!this.#isOver) {
      this.#readers.add(send);
      exchange.onDisconnect(() => this.#readers.delete(send));
    }
    send();
  }

  #add(events: string): void {
    if (events === '' || this.#isOver) return;
    this.#characters += events.length;
    // The JSON contains no line breaks, so an empty line ends an event.
    this.#events?.push(...(events.match(/[\s\S]+?\n\n/g) ?? []));
    for (const wake of this.#readers) wake();
  }
}
