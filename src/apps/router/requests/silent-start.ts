// The start of one stream while its engine is silent: the client gets a head and comments before there is data.
import type { ResponseHead, ServerExchange } from '../../../io/http/index.ts';
import {
  keepAliveChunk,
  type SilentStream,
  type SseKeepAlive,
  takesComments,
} from './sse-keep-alive.ts';

/** Opens the response of a request: sends a head and a comment. */
export type OpenResponse = (head: ResponseHead, comment: Buffer) => void;

export class SilentStart implements SilentStream {
  readonly #keepAlive: SseKeepAlive;
  readonly #exchange: ServerExchange;
  readonly #open: OpenResponse;
  /** The head of an engine that has sent no data yet. */
  #heldHead: ResponseHead | undefined = undefined;
  #isOnlyOpen = false;

  constructor(keepAlive: SseKeepAlive, exchange: ServerExchange, open: OpenResponse) {
    this.#keepAlive = keepAlive;
    this.#exchange = exchange;
    this.#open = open;
  }

  /** Whether the client has a head and comments, and nothing else. */
  get isOnlyOpen(): boolean {
    return this.#isOnlyOpen;
  }

  /** The head of an engine's response has arrived, and no data. */
  hold(head: ResponseHead): void {
    const { begun, head: asked } = this.#exchange;
    if (begun || !takesComments(head) || asked.minorVersion !== 1) return;
    this.#heldHead = head;
    this.#keepAlive.add(this);
  }

  /** The engine of that head no longer has the request. */
  dropHead(): void {
    this.#heldHead = undefined;
  }

  /** The engine is silent for long: from now on the status is 200, also if another engine responds. */
  onSilence(): void {
    if (this.#isOnlyOpen) {
      if (!this.#exchange.congested) this.#exchange.write(keepAliveChunk);
      return;
    }
    const head = this.#heldHead;
    if (head === undefined || this.#exchange.begun) return;
    this.#isOnlyOpen = true;
    this.#open(head, keepAliveChunk);
  }

  /** An engine's response begins. @returns Whether it continues what is only open. */
  begun(): boolean {
    this.stop();
    const wasOnlyOpen = this.#isOnlyOpen;
    this.#isOnlyOpen = false;
    return wasOnlyOpen;
  }

  /** No more comments. */
  stop(): void {
    this.#keepAlive.remove(this);
  }
}
