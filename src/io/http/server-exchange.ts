// One request of a client and the answer to it.
import type { Socket } from 'node:net';
import type { RequestHead } from './request-head.ts';
import { writeBorrowed, writeTogether } from './write-together.ts';

/** What a connection does for its exchange. */
export interface ExchangeOwner {
  readonly socket: Socket;
  /** The answer is out. @param keepAlive Whether the connection serves on. */
  exchangeEnded(keepAlive: boolean): void;
}

/**
 * A request with its whole body, waiting for an answer: `begin`, any number of `write`, `end`.
 * Calls after the client has gone do nothing.
 */
export class ServerExchange {
  readonly head: RequestHead;
  /** The body, decoded if it was chunked. Valid until `end`: its buffer is used again. */
  readonly body: Buffer;
  /** The client left before the answer was complete. Set it before giving up control. */
  onClientGone: (() => void) | undefined = undefined;
  /** The client takes bytes again after `congested`. */
  onDrain: (() => void) | undefined = undefined;
  readonly #owner: ExchangeOwner;
  readonly #socket: Socket;
  #keepAlive: boolean;
  #begun = false;
  #over = false;

  constructor(owner: ExchangeOwner, head: RequestHead, body: Buffer, keepAlive: boolean) {
    this.#owner = owner;
    this.#socket = owner.socket;
    this.head = head;
    this.body = body;
    this.#keepAlive = keepAlive;
  }

  /** Whether any byte of the answer has been sent. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Whether the answer has ended or the client has gone. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether the client is slow: stop until `onDrain`. */
  get congested(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Bytes of the answer that the client has not taken yet, as far as this process holds them. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** Makes this the connection's last answer: needed when only its end marks the body's end. */
  closeAfterwards(): void {
    this.#keepAlive = false;
  }

  /** The `Connection` header line that belongs into the answer's head, or nothing. */
  get connectionLine(): string {
    if (!this.#keepAlive) return 'Connection: close\r\n';
    return this.head.minorVersion === 0 ? 'Connection: keep-alive\r\n' : '';
  }

  /**
   * Sends the head and the first bytes of the body.
   *
   * @param headText Whole head, empty line included.
   * @param bytes Body bytes as framed on the wire; the caller may overwrite them afterwards.
   */
  begin(headText: string, bytes: Buffer | undefined): void {
    if (this.#over) return;
    this.#begun = true;
    writeTogether(this.#socket, headText, bytes, true);
  }

  /** Sends more of the body. @returns Whether the caller must not overwrite `bytes` from now on. */
  write(bytes: Buffer): boolean {
    return this.#over ? false : writeBorrowed(this.#socket, bytes);
  }

  /** The answer is complete. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.exchangeEnded(this.#keepAlive);
  }

  /** Cuts the connection, so that the client sees that its answer is not whole. */
  destroy(): void {
    if (this.#over) return;
    this.#over = true;
    this.#socket.destroy();
  }

  /** For the connection: the client has gone. */
  clientGone(): void {
    if (this.#over) return;
    this.#over = true;
    this.onClientGone?.();
  }
}
