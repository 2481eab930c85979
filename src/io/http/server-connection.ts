// One client connection: bytes in, requests out one at a time, answers back in order.
import type { Socket } from 'node:net';
import type { BufferPool } from './buffer-pool.ts';
import { ChunkedReader } from './chunked-reader.ts';
import { readInto } from './read-into.ts';
import { parseRequestHead, type RequestHead } from './request-head.ts';
import { type ExchangeOwner, ServerExchange } from './server-exchange.ts';
import { HttpSyntaxError } from './syntax-error.ts';
import type { Ticker } from './ticker.ts';

/** Bounds and deadlines of a server; a deadline of 0 stands for none. */
export interface ServerLimits {
  /** Most bytes in a request's body; more is answered 413. */
  readonly requestBytesMax: number;
  /** Most bytes in the bodies of all requests at once, served or still coming; more is answered 503. */
  readonly bufferedRequestBytesMax: number;
  /** Most bytes that a client may send ahead while its request is served; then we stop reading. */
  readonly pipelinedBytesMax: number;
  /** From the first byte of a head, or from the connection's begin, to its last byte. */
  readonly headTimeoutMs: number;
  /** Between two reads of a body. */
  readonly bodyIdleTimeoutMs: number;
  /** Between an answer and the next request. */
  readonly keepAliveTimeoutMs: number;
  /** For how long a client may leave its answer unread before it is cut off. */
  readonly sendTimeoutMs: number;
}

/** What connections share. */
export interface ServerContext {
  readonly limits: ServerLimits;
  readonly ticker: Ticker;
  /** Where bodies live until their answers have ended. */
  readonly bodies: BufferPool;
  /** Bytes in the bodies of all requests now. */
  bufferedRequestBytes: number;
  /** Whether the server takes no further requests after those under way. */
  readonly draining: boolean;
  onRequest(exchange: ServerExchange): void;
  /** The whole answer, head included, to a request that we refuse. */
  refusal(status: number, message: string): string;
  connectionClosed(connection: ServerConnection): void;
}

/** How long a refused client may read its refusal before the socket is destroyed. */
const lingerMs = 2_000;
/** Bodies up to this size get their buffer at once; of larger ones only what has come is kept. */
const bodyBytesAtOnceMax = 1_048_576;
const noBytes = Buffer.alloc(0);

export class ServerConnection implements ExchangeOwner {
  readonly socket: Socket;
  readonly #context: ServerContext;
  /** Bytes received and not yet parsed. */
  #input: Buffer = noBytes;
  #head: RequestHead | undefined = undefined;
  #exchange: ServerExchange | undefined = undefined;
  #body: Buffer = noBytes;
  /** The buffer of the pool that holds `#body`. */
  #pooled: Buffer | undefined = undefined;
  #bodyChunks: Buffer[] = [];
  #bodyBytes = 0;
  /** Our share of the context's bufferedRequestBytes. */
  #bufferedBytes = 0;
  #chunked: ChunkedReader | undefined = undefined;
  #advancing = false;
  #closing = false;
  #paused = false;
  /** Whether the connection has served a request and waits for the next. */
  #idle = false;
  /** Tick at which the present wait began. */
  #sinceTick: number;
  #sendingSinceTick = -1;

  constructor(context: ServerContext, socket: Socket) {
    this.#context = context;
    this.socket = socket;
    this.#sinceTick = context.ticker.now;
    readInto(socket, (bytes) => this.#onData(bytes));
    socket.on('drain', () => this.#exchange?.onDrain?.());
    socket.on('end', () => this.#onEnd());
    // The close event follows and says all that we need.
    socket.on('error', () => {});
    socket.on('close', () => this.#onClose());
  }

  get busy(): boolean {
    return this.#exchange !== undefined;
  }

  /** Closes now if nothing is under way, else after the present answer. */
  closeWhenIdle(): void {
    if (this.#exchange === undefined) this.socket.destroy();
  }

  exchangeEnded(keepAlive: boolean): void {
    this.#exchange = undefined;
    this.#release();
    this.#sendingSinceTick = -1;
    if (this.#pooled !== undefined) {
      this.#context.bodies.give(this.#pooled);
      this.#pooled = undefined;
    }
    if (!keepAlive || this.#context.draining) {
      this.#closing = true;
      this.#sinceTick = this.#context.ticker.now;
      this.socket.end();
      return;
    }
    this.#idle = true;
    this.#sinceTick = this.#context.ticker.now;
    if (this.#paused) {
      this.#paused = false;
      this.socket.resume();
    }
    if (!this.#advancing && this.#input.length > 0) this.#advance();
  }

  onTick(nowTick: number): void {
    const { limits, ticker } = this.#context;
    const waited = nowTick - this.#sinceTick;
    if (this.#closing) {
      if (waited > ticker.ticks(lingerMs)) this.socket.destroy();
      return;
    }
    if (this.#exchange !== undefined) {
      if (this.socket.writableLength === 0) this.#sendingSinceTick = -1;
      else if (this.#sendingSinceTick < 0) this.#sendingSinceTick = nowTick;
      else if (nowTick - this.#sendingSinceTick > ticker.ticks(limits.sendTimeoutMs)) {
        this.socket.destroy();
      }
      return;
    }
    if (this.#head !== undefined) {
      if (waited > ticker.ticks(limits.bodyIdleTimeoutMs)) {
        this.#refuse(new HttpSyntaxError(408, 'The request body did not come in time.'));
      }
    } else if (this.#idle) {
      if (waited > ticker.ticks(limits.keepAliveTimeoutMs)) this.socket.destroy();
    } else if (waited > ticker.ticks(limits.headTimeoutMs)) {
      if (this.#input.length === 0) this.socket.destroy();
      else this.#refuse(new HttpSyntaxError(408, 'The request head did not come in time.'));
    }
  }

  /** @param bytes Valid during the call only. */
  #onData(bytes: Buffer): void {
    if (this.#closing) return;
    if (this.#idle) {
      this.#idle = false;
      this.#sinceTick = this.#context.ticker.now;
    }
    this.#input = this.#input.length === 0 ? bytes : Buffer.concat([this.#input, bytes]);
    if (this.#exchange === undefined) this.#advance();
    if (this.#input.length === 0) return;
    if (this.#input.buffer === bytes.buffer) this.#input = Buffer.from(this.#input);
    if (
      this.#exchange !== undefined &&
      this.#input.length > this.#context.limits.pipelinedBytesMax
    ) {
      this.#paused = true;
      this.socket.pause();
    }
  }

  /** Parses what is there until a request waits for its answer or bytes run out. */
  #advance(): void {
    this.#advancing = true;
    try {
      while (this.#input.length > 0 && this.#exchange === undefined && !this.#closing) {
        if (this.#head === undefined && !this.#readHead()) break;
        if (!this.#readBody()) break;
        this.#deliver();
      }
    } catch (error) {
      if (!(error instanceof HttpSyntaxError)) throw error;
      this.#refuse(error);
    } finally {
      this.#advancing = false;
    }
  }

  /** @returns Whether the head is whole. */
  #readHead(): boolean {
    const head = parseRequestHead(this.#input, 0, this.#input.length);
    if (head === undefined) return false;
    const { requestBytesMax } = this.#context.limits;
    if (head.contentLength > requestBytesMax) throw bodyTooLarge(requestBytesMax);
    this.#head = head;
    this.#input = this.#input.subarray(head.headBytes);
    this.#bodyBytes = 0;
    if (head.contentLength === -1) this.#chunked = new ChunkedReader();
    this.#sinceTick = this.#context.ticker.now;
    if (head.expectsContinue && head.contentLength !== 0 && this.#input.length === 0) {
      this.socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1');
    }
    return true;
  }

  /** @returns Whether the body is whole. */
  #readBody(): boolean {
    const length = (this.#head as RequestHead).contentLength;
    if (length === -1) return this.#readChunkedBody();
    const input = this.#input;
    const take = Math.min(length - this.#bodyBytes, input.length);
    this.#reserve(take);
    if (length <= bodyBytesAtOnceMax) {
      if (this.#body.length < length) this.#body = this.#bodyOf(length);
      input.copy(this.#body, this.#bodyBytes, 0, take);
    } else if (take > 0) {
      this.#bodyChunks.push(Buffer.from(input.subarray(0, take)));
    }
    this.#bodyBytes += take;
    this.#input = take === input.length ? noBytes : input.subarray(take);
    this.#sinceTick = this.#context.ticker.now;
    if (this.#bodyBytes < length) return false;
    if (length > bodyBytesAtOnceMax) this.#joinChunks();
    return true;
  }

  /** A buffer of this length to fill. */
  #bodyOf(length: number): Buffer {
    this.#pooled = this.#context.bodies.take(length);
    return this.#pooled.subarray(0, length);
  }

  #readChunkedBody(): boolean {
    const reader = this.#chunked as ChunkedReader;
    const { requestBytesMax } = this.#context.limits;
    const next = reader.read(this.#input, 0, this.#input.length, (bytes, start, end) => {
      this.#bodyBytes += end - start;
      if (this.#bodyBytes > requestBytesMax) throw bodyTooLarge(requestBytesMax);
      this.#reserve(end - start);
      this.#bodyChunks.push(Buffer.from(bytes.subarray(start, end)));
    });
    this.#input = this.#input.subarray(next);
    this.#sinceTick = this.#context.ticker.now;
    if (!reader.done) return false;
    this.#joinChunks();
    return true;
  }

  #joinChunks(): void {
    const chunks = this.#bodyChunks;
    this.#body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    this.#bodyChunks = [];
  }

  #deliver(): void {
    const head = this.#head as RequestHead;
    const body = this.#body;
    this.#head = undefined;
    this.#body = noBytes;
    this.#chunked = undefined;
    const keepAlive = head.keepAlive && !this.#context.draining;
    const exchange = new ServerExchange(this, head, body, keepAlive);
    this.#exchange = exchange;
    this.#context.onRequest(exchange);
  }

  /** Counts bytes of a body. @throws {HttpSyntaxError} If all bodies together are too many. */
  #reserve(bytes: number): void {
    const context = this.#context;
    if (context.bufferedRequestBytes + bytes > context.limits.bufferedRequestBytesMax) {
      throw new HttpSyntaxError(503, 'The requests under way fill the memory set aside for them.');
    }
    context.bufferedRequestBytes += bytes;
    this.#bufferedBytes += bytes;
  }

  #release(): void {
    this.#context.bufferedRequestBytes -= this.#bufferedBytes;
    this.#bufferedBytes = 0;
  }

  #refuse(error: HttpSyntaxError): void {
    this.#release();
    this.#closing = true;
    this.#sinceTick = this.#context.ticker.now;
    this.#input = noBytes;
    this.#body = noBytes;
    this.#bodyChunks = [];
    this.socket.end(this.#context.refusal(error.status, error.message), 'latin1');
  }

  /**
   * A client that has sent its end is taken to have gone, as nginx takes it: there is no telling a
   * half-closed connection from one whose client was killed.
   */
  #onEnd(): void {
    if (!this.#closing) this.socket.destroy();
  }

  #onClose(): void {
    this.#context.connectionClosed(this);
    this.#release();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#closing = true;
    this.#input = noBytes;
    this.#body = noBytes;
    this.#bodyChunks = [];
    // Not given back to the pool: somebody may still hold what an aborted request had.
    this.#pooled = undefined;
    exchange?.clientGone();
  }
}

function bodyTooLarge(requestBytesMax: number): HttpSyntaxError {
  return new HttpSyntaxError(413, `The request body is larger than ${requestBytesMax} bytes.`);
}
