// One client connection: receives bytes, serves one request at a time, sends responses in order.
import type { Socket } from 'node:net';
import type { Linked } from '../../core/base/index.ts';
import type { MemoryShare } from '../../core/memory/index.ts';
import type { BodyBudget, BodyHolder } from './body-budget.ts';
import { BodyBuffer } from './body-buffer.ts';
import type { BufferPool } from './buffer-pool.ts';
import { ChunkedReader } from './chunked-reader.ts';
import {
  beginsAsHttp2,
  http2End,
  http2Greeting,
  http2Preface,
  http2Refusal,
} from './http2-refusal.ts';
import { readInto } from './read-into.ts';
import { parseRequestHead, type RequestHead } from './request-head.ts';
import { type ExchangeOwner, ServerExchange } from './server-exchange.ts';
import { UnreadCount, type UnreadHolder, type UnreadResponses } from './server-memory.ts';
import { HttpSyntaxError } from './syntax-error.ts';
import type { Ticker } from './ticker.ts';

/** Limits and timeouts of a server; a timeout of 0 means none. */
export interface ServerLimits {
  /** Maximum size of a request body; a larger one gets status 413. */
  readonly requestBytesMax: number;
  /**
   * Maximum size of all request bodies together, served or still arriving; beyond it the status is
   * 503.
   */
  readonly bufferedRequestBytesMax: number;
  /**
   * Maximum number of bytes that a client may send ahead while its request is served; then reading
   * pauses.
   */
  readonly pipelinedBytesMax: number;
  /**
   * Time from the first byte of a head, or from the start of the connection, to the last byte of
   * the head.
   */
  readonly headTimeoutMs: number;
  /** Time between two reads of a body. */
  readonly bodyIdleTimeoutMs: number;
  /** Time from the end of a head to the last byte of its body. */
  readonly bodyTimeoutMs: number;
  /** Each window of this length must bring `bodyBytesPerWindowMin` bytes of a body, or its end. */
  readonly bodyWindowMs: number;
  readonly bodyBytesPerWindowMin: number;
  /** Time between a response and the next request. */
  readonly keepAliveTimeoutMs: number;
  /** Maximum time for which a client may leave its response unread before it is disconnected. */
  readonly sendTimeoutMs: number;
}

/** State that connections share. */
export interface ServerContext {
  readonly limits: ServerLimits;
  readonly ticker: Ticker;
  /** Owns the buffers of bodies until their responses have ended. */
  readonly bodies: BufferPool;
  /** Counts the bytes of the bodies of all current requests. */
  readonly budget: BodyBudget;
  /** Bytes that clients sent ahead. */
  readonly requests: MemoryShare;
  /** Counts what clients have not read. */
  readonly unread: UnreadResponses;
  /** Whether responses that begin now are the last of their connection. */
  readonly retiring: boolean;
  /** Whether the server accepts no requests after those in flight. */
  readonly draining: boolean;
  /** Decides about a request with a body before the body is read; returns the refusal, or undefined. */
  refuseHead(head: RequestHead): HttpSyntaxError | undefined;
  onRequest(exchange: ServerExchange): void;
  /** Called when the connection starts or stops waiting for a request. */
  idleChanged(connection: ServerConnection, isIdle: boolean): void;
  /**
   * Returns the whole response to a rejected request, with its head.
   *
   * @param target Of the request; undefined if its head could not be read.
   */
  refusal(status: number, message: string, target: string | undefined): string;
  connectionClosed(connection: ServerConnection): void;
}

/** Time for which a rejected client may read the response before the socket is destroyed. */
const lingerMs = 2_000;
/**
 * Maximum number of bytes of chunk framing in excess of the data. A client that sends each byte as
 * a chunk costs six times its data in parsing.
 */
const framingBytesMax = 1_048_576;
const noBytes = Buffer.alloc(0);

export class ServerConnection
  implements ExchangeOwner, BodyHolder, UnreadHolder, Linked<ServerConnection>
{
  readonly socket: Socket;
  // Links of the server's list of idle connections.
  previous: ServerConnection | undefined = undefined;
  next: ServerConnection | undefined = undefined;
  reservedBytes = 0;
  readonly #context: ServerContext;
  readonly #overLimit: boolean;
  /** Bytes received but not yet parsed. */
  #input: Buffer = noBytes;
  #head: RequestHead | undefined = undefined;
  #exchange: ServerExchange | undefined = undefined;
  readonly #body: BodyBuffer;
  #framingBytes = 0;
  #chunked: ChunkedReader | undefined = undefined;
  /** Tick at which the head was complete. */
  #headTick = 0;
  /** Tick and body length at the start of the current window of the minimum rate. */
  #windowTick = 0;
  #windowBytes = 0;
  #advancing = false;
  #closing = false;
  /** Whether further bytes of the client are ignored, because there was no room for them. */
  #isDeaf = false;
  #paused = false;
  /** Whether the connection has served a request and waits for the next one. */
  #idle = false;
  /** Whether the client speaks HTTP/2 and has been greeted. */
  #isHttp2 = false;
  /** Tick at which the current wait started. */
  #sinceTick: number;
  #sendingSinceTick = -1;
  readonly #unread: UnreadCount;
  /** Bytes of `#input` that are counted. */
  #inputBytes = 0;
  readonly #keepAliveLine: string;

  /** @param overLimit Whether it is one of the server's reserved connections. */
  constructor(context: ServerContext, socket: Socket, overLimit = false) {
    this.#overLimit = overLimit;
    this.#context = context;
    this.#body = new BodyBuffer(context.bodies);
    this.#unread = new UnreadCount(context.unread);
    this.socket = socket;
    this.#sinceTick = context.ticker.now;
    const { keepAliveTimeoutMs } = context.limits;
    this.#keepAliveLine = `Keep-Alive: timeout=${Math.floor(keepAliveTimeoutMs / 1000)}\r\n`;
    readInto(socket, (bytes) => this.#onData(bytes));
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => this.#onEnd());
    // The close event follows and is enough.
    socket.on('error', () => {});
    socket.on('close', () => this.#onClose());
  }

  get busy(): boolean {
    return this.#exchange !== undefined;
  }

  get retiring(): boolean {
    return this.#context.retiring;
  }

  get requestBytesMax(): number {
    return this.#context.limits.requestBytesMax;
  }

  get keepAliveLine(): string {
    return this.#keepAliveLine;
  }

  get address(): string {
    return this.socket.remoteAddress ?? '';
  }

  /** Tick of the last progress of an arriving body; undefined if none is arriving. */
  get bodySinceTick(): number | undefined {
    const isArriving = this.#head !== undefined && this.#exchange === undefined;
    return isArriving && !this.#closing ? this.#sinceTick : undefined;
  }

  /** Closes now if no request is in flight, otherwise after the current response. */
  closeWhenIdle(): void {
    if (this.#exchange === undefined) this.socket.destroy();
  }

  /** Ends the response in flight early, as its handler decides. */
  stopExchange(): void {
    this.#exchange?.listener?.onStop?.();
  }

  reserve(bytes: number): void {
    this.#context.budget.reserve(this, bytes);
  }

  get unreadSinceTick(): number | undefined {
    return this.#sendingSinceTick < 0 ? undefined : this.#sendingSinceTick;
  }

  get unreadBytes(): number {
    return this.#unread.bytes;
  }

  wrote(kept: ArrayBufferLike | undefined, slackBytes: number): void {
    this.#unread.wrote(this.socket.writableLength, kept, slackBytes);
  }

  dropUnread(): void {
    this.socket.destroy();
    this.#unread.drop();
  }

  exchangeEnded(keepAlive: boolean): void {
    this.#exchange = undefined;
    this.#context.budget.release(this);
    this.#body.release();
    if (!keepAlive || this.#context.draining) {
      this.#closing = true;
      this.#sinceTick = this.#context.ticker.now;
      this.socket.end();
      return;
    }
    this.#idle = true;
    this.#sinceTick = this.#context.ticker.now;
    this.#context.idleChanged(this, true);
    // A client that does not read gets no further responses: those to pipelined requests would fill
    // our memory.
    if (!this.socket.writableNeedDrain) this.#proceed();
  }

  /** Continues with reading and serving after a response. */
  #proceed(): void {
    if (this.#paused) {
      this.#paused = false;
      this.socket.resume();
    }
    if (!this.#advancing && this.#input.length > 0) this.#advance();
    this.#countInput();
  }

  /** @returns Whether there is room for what the client sent ahead. */
  #countInput(): boolean {
    const { requests } = this.#context;
    const more = this.#input.length - this.#inputBytes;
    if (more > 0 && !requests.take(more)) return false;
    if (more < 0) requests.give(-more);
    this.#inputBytes = this.#input.length;
    return true;
  }

  /** The memory for requests is full: what the client sent ahead is lost, and no response to it comes. */
  #dropInput(): void {
    this.#input = noBytes;
    this.#countInput();
    this.#isDeaf = true;
    if (this.#exchange !== undefined) this.#exchange.closeAfterwards();
    else if (this.socket.writableNeedDrain) this.socket.destroy();
    else this.#refuse(new HttpSyntaxError(503, 'The memory for requests is full.'));
  }

  #onDrain(): void {
    this.wrote(undefined, 0);
    if (this.#exchange !== undefined) this.#exchange.listener?.onDrain?.();
    else if (!this.#closing) this.#proceed();
  }

  onTick(nowTick: number): void {
    const { limits, ticker } = this.#context;
    const waited = nowTick - this.#sinceTick;
    if (this.#closing) {
      if (waited > ticker.ticks(lingerMs)) this.socket.destroy();
      return;
    }
    if (this.unreadBytes > 0) this.wrote(undefined, 0);
    const isSending = this.socket.writableLength > 0;
    if (!isSending) this.#sendingSinceTick = -1;
    else if (this.#sendingSinceTick < 0) this.#sendingSinceTick = nowTick;
    else if (nowTick - this.#sendingSinceTick > ticker.ticks(limits.sendTimeoutMs)) {
      this.socket.destroy();
      return;
    }
    if (this.#exchange !== undefined || isSending) return;
    if (this.#head !== undefined) {
      if (waited > ticker.ticks(limits.bodyIdleTimeoutMs) || this.#isBodyLate(nowTick)) {
        this.#refuse(new HttpSyntaxError(408, 'The request body did not arrive in time.'));
      }
    } else if (this.#idle) {
      if (waited > ticker.ticks(limits.keepAliveTimeoutMs)) this.#closeUnlessUsed();
    } else if (waited > ticker.ticks(limits.headTimeoutMs)) {
      if (this.#input.length === 0) this.socket.destroy();
      else this.#refuse(new HttpSyntaxError(408, 'The request head did not arrive in time.'));
    }
  }

  /** After a pause of the process, the next request may be there and not read yet: then the connection stays. */
  #closeUnlessUsed(): void {
    const since = this.#sinceTick;
    setImmediate(() => {
      if (this.#idle && this.#sinceTick === since) this.socket.destroy();
    });
  }

  /** Returns whether the body takes too long in total, or arrives too slowly. */
  #isBodyLate(nowTick: number): boolean {
    const { limits, ticker } = this.#context;
    if (nowTick - this.#headTick > ticker.ticks(limits.bodyTimeoutMs)) return true;
    if (nowTick - this.#windowTick < ticker.ticks(limits.bodyWindowMs)) return false;
    const isSlow = this.#body.length - this.#windowBytes < limits.bodyBytesPerWindowMin;
    this.#windowTick = nowTick;
    this.#windowBytes = this.#body.length;
    return isSlow;
  }

  /** Evicts a stalled body when others need the memory for bodies. */
  evictBody(): void {
    const message =
      'The request body stopped arriving while the memory for request bodies was full.';
    this.#refuse(new HttpSyntaxError(408, message));
  }

  /** @param bytes Valid during the call only. */
  #onData(bytes: Buffer): void {
    if (this.#closing || this.#isDeaf) return;
    if (this.#idle) {
      this.#idle = false;
      this.#sinceTick = this.#context.ticker.now;
    }
    this.#input = this.#input.length === 0 ? bytes : Buffer.concat([this.#input, bytes]);
    const isBlocked = this.#exchange !== undefined || this.socket.writableNeedDrain;
    if (!isBlocked) this.#advance();
    if (this.#input.length === 0 && this.#inputBytes === 0) return;
    if (this.#input.buffer === bytes.buffer) this.#input = Buffer.from(this.#input);
    if (!this.#countInput()) this.#dropInput();
    // A head or the framing of a chunk is buffered here too; their parsers bound both.
    const waits = this.#exchange !== undefined || this.socket.writableNeedDrain;
    if (waits && this.#input.length > this.#context.limits.pipelinedBytesMax) {
      this.#paused = true;
      this.socket.pause();
    }
  }

  /** Parses the received bytes until a request waits for its response, or the bytes run out. */
  #advance(): void {
    this.#advancing = true;
    try {
      while (this.#input.length > 0 && this.#exchange === undefined && !this.#closing) {
        if (this.socket.writableNeedDrain) break;
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

  /** @returns Whether the head is complete. */
  #readHead(): boolean {
    // Most requests begin with the same letter.
    if (this.#input[1] === letterR && beginsAsHttp2(this.#input)) return this.#refuseHttp2();
    const head = parseRequestHead(this.#input, 0, this.#input.length);
    if (head === undefined) return false;
    this.#head = head;
    const { requestBytesMax } = this.#context.limits;
    if (head.contentLength > requestBytesMax) throw bodyTooLarge(requestBytesMax);
    if (head.contentLength !== 0) {
      const refusal = this.#context.refuseHead(head);
      if (refusal !== undefined) throw refusal;
    }
    this.#input = this.#input.subarray(head.headBytes);
    this.#body.begin(head.contentLength);
    this.#framingBytes = 0;
    if (head.contentLength === -1) this.#chunked = new ChunkedReader();
    const { now } = this.#context.ticker;
    this.#sinceTick = now;
    this.#headTick = now;
    this.#windowTick = now;
    this.#windowBytes = 0;
    if (head.expectsContinue && head.contentLength !== 0 && this.#input.length === 0) {
      this.socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1');
    }
    return true;
  }

  /** Answers the first request of a client that speaks HTTP/2 and has not asked whether we do. */
  #refuseHttp2(): false {
    if (this.#input.length < http2Preface.length) return false;
    if (!this.#isHttp2) this.socket.write(http2Greeting());
    this.#isHttp2 = true;
    const refusal = http2Refusal(this.#input, this.#http2Error());
    if (refusal === undefined) return false;
    this.#closing = true;
    this.#sinceTick = this.#context.ticker.now;
    this.#input = noBytes;
    this.socket.end(refusal);
    return false;
  }

  /** The error for such a client, as JSON. */
  #http2Error(): string {
    const text = this.#context.refusal(505, http2Message, undefined);
    return text.slice(text.indexOf('\r\n\r\n') + 4);
  }

  /** @returns Whether the body is complete. */
  #readBody(): boolean {
    const length = (this.#head as RequestHead).contentLength;
    if (length === -1) return this.#readChunkedBody();
    const input = this.#input;
    const take = Math.min(length - this.#body.length, input.length);
    this.#context.budget.reserve(this, take);
    this.#body.append(input, 0, take);
    this.#input = take === input.length ? noBytes : input.subarray(take);
    this.#sinceTick = this.#context.ticker.now;
    return this.#body.length === length;
  }

  #readChunkedBody(): boolean {
    const reader = this.#chunked as ChunkedReader;
    const { budget, limits } = this.#context;
    const before = this.#body.length;
    const next = reader.read(this.#input, 0, this.#input.length, (bytes, start, end) => {
      if (this.#body.length + end - start > limits.requestBytesMax) {
        throw bodyTooLarge(limits.requestBytesMax);
      }
      budget.reserve(this, end - start);
      this.#body.append(bytes, start, end);
    });
    this.#framingBytes += next - (this.#body.length - before);
    if (this.#framingBytes > framingBytesMax + this.#body.length) {
      throw new HttpSyntaxError(400, 'The request body is split into chunks that are too small.');
    }
    this.#input = this.#input.subarray(next);
    this.#sinceTick = this.#context.ticker.now;
    return reader.done;
  }

  #deliver(): void {
    const head = this.#head as RequestHead;
    const body = this.#body.bytes;
    this.#head = undefined;
    this.#chunked = undefined;
    this.#context.idleChanged(this, false);
    const keepAlive = head.keepAlive && !this.#context.draining;
    const exchange = new ServerExchange(this, head, body, keepAlive && !this.#overLimit);
    exchange.overLimit = this.#overLimit;
    this.#exchange = exchange;
    this.#context.onRequest(exchange);
  }

  #refuse(error: HttpSyntaxError): void {
    this.#context.budget.release(this);
    this.#closing = true;
    this.#sinceTick = this.#context.ticker.now;
    const target = this.#head?.target;
    this.#head = undefined;
    this.#input = noBytes;
    this.#countInput();
    this.#body.release();
    // Plain text among frames of HTTP/2 would be read as frames.
    if (this.#isHttp2) this.socket.end(http2End(0, this.#http2Error()));
    else this.socket.end(this.#context.refusal(error.status, error.message, target), 'latin1');
  }

  /**
   * A client that has sent its end counts as gone, as in nginx: a half-closed connection looks the
   * same as one whose client was killed.
   */
  #onEnd(): void {
    if (!this.#closing) this.socket.destroy();
  }

  #onClose(): void {
    this.#context.connectionClosed(this);
    this.#context.budget.release(this);
    this.#unread.clear();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#closing = true;
    this.#input = noBytes;
    this.#countInput();
    // The body of an aborted request may still be in use.
    this.#body.forget();
    exchange?.clientGone();
  }
}

const letterR = 0x52;
const http2Message =
  'This server speaks HTTP/1.1, not HTTP/2: send the request with HTTP/1.1 (curl: --http1.1).';

function bodyTooLarge(requestBytesMax: number): HttpSyntaxError {
  return new HttpSyntaxError(413, `The request body is larger than ${requestBytesMax} bytes.`);
}
