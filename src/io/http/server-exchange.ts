// One request of a client, and the response to it.
import type { Socket } from 'node:net';
import type { RequestHead } from './request-head.ts';
import { writeBorrowed, writeTogether } from './write-together.ts';

/** The connection as its exchange uses it. */
export interface ExchangeOwner {
  readonly socket: Socket;
  /** Whether responses that begin now are the last of their connection. */
  readonly retiring: boolean;
  /** Tells the client for how long the idle connection stays open. */
  readonly keepAliveLine: string;
  /** Maximum size of the body of a request. */
  readonly requestBytesMax: number;
  /** Counts bytes of its body in the memory for bodies. @throws {HttpSyntaxError} 503 if there is none left. */
  reserve(bytes: number): void;
  /**
   * Bytes of the response were written, which the socket may still hold.
   *
   * @param kept The memory that it holds for them; undefined if it holds copies.
   * @param slackBytes Bytes of that memory beside those of the response.
   */
  wrote(kept: ArrayBufferLike | undefined, slackBytes: number): void;
  /** The response has been sent. @param keepAlive Whether the connection stays open. */
  exchangeEnded(keepAlive: boolean): void;
}

/** Told what happens before the response is complete. */
export interface ExchangeListener {
  /** The client has left. */
  onClientGone?(): void;
  /** The server stops: end the response now. */
  onStop?(): void;
  /** The client reads again after `congested`. */
  onDrain?(): void;
}

/**
 * A request with its whole body that waits for a response: call `begin`, `write` any number of
 * times, then `end`. Calls after the client has gone do nothing.
 */
export class ServerExchange {
  readonly head: RequestHead;
  /** The body, decoded if it was chunked. Valid until `end`: its buffer is reused. */
  body: Buffer;
  /** Path and query as the program sees them: without a prefix that it serves under. */
  target: string;
  /** Set it before the first asynchronous step. */
  listener: ExchangeListener | undefined = undefined;
  /** Whether the server has its maximum number of connections: then it serves only health and metrics. */
  overLimit = false;
  /** Header lines, each with CR LF, that every response to this request has. */
  headerLines = '';
  readonly #owner: ExchangeOwner;
  readonly #socket: Socket;
  #keepAlive: boolean;
  #begun = false;
  #over = false;

  constructor(owner: ExchangeOwner, head: RequestHead, body: Buffer, keepAlive: boolean) {
    this.#owner = owner;
    this.#socket = owner.socket;
    this.head = head;
    this.target = head.target;
    this.body = body;
    this.#keepAlive = keepAlive;
  }

  /** Maximum size of its body. */
  get bodyBytesMax(): number {
    return this.#owner.requestBytesMax;
  }

  /** The client's address; empty if it has gone. */
  get clientAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  /** Whether any byte of the response has been sent. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Whether the response has ended or the client has gone. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether the client is slow: stop writing until `ExchangeListener.onDrain`. */
  get congested(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Number of bytes of the response that this process still buffers for the client. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /**
   * Counts bytes that the body takes in addition, until the end of the exchange.
   *
   * @throws {HttpSyntaxError} 503 if the memory for bodies is full.
   */
  reserve(bytes: number): void {
    if (!this.#over) this.#owner.reserve(bytes);
  }

  /**
   * Makes this the connection's last response: needed if only closing marks the end of the body.
   */
  closeAfterwards(): void {
    this.#keepAlive = false;
  }

  /** The last header lines of the response: `headerLines`, and those of the connection. */
  get lastLines(): string {
    if (this.#owner.retiring) this.#keepAlive = false;
    if (!this.#keepAlive) return `${this.headerLines}Connection: close\r\n`;
    const lines = this.headerLines + this.#owner.keepAliveLine;
    return this.head.minorVersion === 1 ? lines : `${lines}Connection: keep-alive\r\n`;
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
    this.#owner.wrote(undefined, writeTogether(this.#socket, headText, bytes, true));
  }

  /** Sends more of the body. @returns Whether the caller must not overwrite `bytes` from now on. */
  write(bytes: Buffer): boolean {
    if (this.#over) return false;
    const isKept = writeBorrowed(this.#socket, bytes);
    if (isKept) this.#owner.wrote(bytes.buffer, bytes.buffer.byteLength - bytes.length);
    else this.#owner.wrote(undefined, 0);
    return isKept;
  }

  /** Ends the response. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.exchangeEnded(this.#keepAlive);
  }

  /** Destroys the connection, so that the client sees that its response is incomplete. */
  destroy(): void {
    if (this.#over) return;
    this.#over = true;
    this.#socket.destroy();
  }

  /** Called by the connection when the client has gone. */
  clientGone(): void {
    if (this.#over) return;
    this.#over = true;
    this.listener?.onClientGone?.();
  }
}
