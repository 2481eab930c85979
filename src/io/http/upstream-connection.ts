// One connection to an engine: sends a request, follows the framing of its answer, hands the bytes on.
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ChunkedReader } from './chunked-reader.ts';
import { parseResponseHead, type ResponseHead } from './response-head.ts';
import { HttpSyntaxError } from './syntax-error.ts';
import type { UpstreamExchange, UpstreamFailureKind } from './upstream-exchange.ts';
import { writeTogether } from './write-together.ts';

/** Where an engine listens. */
export interface Origin {
  readonly secure: boolean;
  readonly host: string;
  /** One of the host's, to connect to; any if undefined. */
  readonly address: string | undefined;
  readonly port: number;
}

/** What a connection tells its pool. */
export interface ConnectionOwner {
  /** The answer is complete and the connection may serve another request. */
  connectionFree(connection: UpstreamConnection): void;
  connectionClosed(connection: UpstreamConnection): void;
  /** @param exchange Not answered, or not wholly. */
  exchangeFailed(
    connection: UpstreamConnection,
    exchange: UpstreamExchange,
    kind: UpstreamFailureKind,
    message: string,
  ): void;
}

/** A read takes at most this many bytes; libuv's own choice for streams. */
const readBytesMax = 65_536;

export class UpstreamConnection {
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  #buffer = Buffer.allocUnsafeSlow(readBytesMax);
  #bufferKept = false;
  #exchange: UpstreamExchange | undefined = undefined;
  #error: Error | undefined = undefined;
  /** The beginning of a head whose end has not come yet. */
  #headStart: Buffer | undefined = undefined;
  #response: ResponseHead | undefined = undefined;
  #chunked: ChunkedReader | undefined = undefined;
  #remaining = 0;
  #closed = false;
  #answered = false;
  connected = false;
  /** Requests answered so far. */
  served = 0;
  /** For the pool's deadlines: tick of the request's begin, of the last byte, or of becoming idle. */
  sinceTick = 0;

  constructor(owner: ConnectionOwner, origin: Origin) {
    this.#owner = owner;
    const options = {
      host: origin.address ?? origin.host,
      port: origin.port,
      noDelay: true,
      // Reading into our own buffer spares Node an allocation, a copy and its stream machinery.
      onread: {
        buffer: () => this.#nextBuffer(),
        callback: (length: number, buffer: Uint8Array) => this.#onRead(length, buffer as Buffer),
      },
    };
    this.#socket = origin.secure
      ? connectTls({
          ...options,
          // RFC 6066 §3 allows no address here; Node checks the certificate against `host` then.
          servername: isIP(origin.host) ? '' : origin.host,
          ALPNProtocols: ['http/1.1'],
        })
      : connectTcp(options);
    this.#socket.on(origin.secure ? 'secureConnect' : 'connect', () => {
      this.connected = true;
    });
    this.#socket.on('end', () => this.#onEnd());
    this.#socket.on('error', (error) => {
      this.#error = error;
    });
    this.#socket.on('close', () => this.#onClose());
  }

  /** Whether a byte of the present request's answer has come. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Whether the body so far ends where more of it could be inserted. */
  get betweenChunks(): boolean {
    return this.#chunked?.betweenChunks ?? this.#response?.framing === 'until-close';
  }

  get busy(): boolean {
    return this.#exchange !== undefined;
  }

  start(exchange: UpstreamExchange): void {
    this.#exchange = exchange;
    this.#answered = false;
    exchange.connection = this;
    writeTogether(this.#socket, exchange.request.head, exchange.request.body, false);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Forgets the request and destroys the socket; nobody is told. */
  abort(): void {
    this.#exchange = undefined;
    this.#socket.destroy();
  }

  /** Ends the request with a failure, or just the connection if it has none. */
  fail(kind: UpstreamFailureKind, message: string): void {
    const exchange = this.#exchange;
    this.abort();
    if (exchange !== undefined) this.#owner.exchangeFailed(this, exchange, kind, message);
  }

  #nextBuffer(): Buffer {
    if (this.#bufferKept) {
      this.#buffer = Buffer.allocUnsafeSlow(readBytesMax);
      this.#bufferKept = false;
    }
    return this.#buffer;
  }

  /** @returns Whether to read on. */
  #onRead(length: number, buffer: Buffer): boolean {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      // Bytes that answer nothing: whatever they are, this connection is out of step.
      this.#socket.destroy();
      return false;
    }
    this.#answered = true;
    this.sinceTick = -1;
    try {
      if (this.#response === undefined) this.#readHead(exchange, buffer, length);
      else this.#readBody(exchange, this.#response, buffer, 0, length, false);
    } catch (error) {
      if (!(error instanceof HttpSyntaxError)) throw error;
      this.fail('syntax', `The engine's answer is not valid HTTP: ${error.message}`);
    }
    return true;
  }

  #readHead(exchange: UpstreamExchange, buffer: Buffer, length: number): void {
    let bytes = buffer;
    let end = length;
    if (this.#headStart !== undefined) {
      bytes = Buffer.concat([this.#headStart, buffer.subarray(0, length)]);
      end = bytes.length;
    }
    let position = 0;
    for (;;) {
      const head = parseResponseHead(bytes, position, end, exchange.request.toHead);
      if (head === undefined) {
        this.#headStart = Buffer.from(bytes.subarray(position, end));
        return;
      }
      position += head.headBytes;
      if (head.status === 101) {
        throw new HttpSyntaxError(400, 'Switching protocols was not asked for');
      }
      if (head.status >= 200) {
        this.#headStart = undefined;
        this.#response = head;
        this.#chunked = head.framing === 'chunked' ? new ChunkedReader() : undefined;
        this.#remaining = head.framing === 'length' ? head.contentLength : 0;
        this.#readBody(exchange, head, bytes, position, end, true);
        return;
      }
    }
  }

  #readBody(
    exchange: UpstreamExchange,
    head: ResponseHead,
    bytes: Buffer,
    start: number,
    end: number,
    first: boolean,
  ): void {
    let bodyEnd = end;
    let ended = false;
    switch (head.framing) {
      case 'chunked': {
        const reader = this.#chunked as ChunkedReader;
        bodyEnd = reader.read(bytes, start, end);
        ended = reader.done;
        break;
      }
      case 'length':
        bodyEnd = Math.min(end, start + this.#remaining);
        this.#remaining -= bodyEnd - start;
        ended = this.#remaining === 0;
        break;
      case 'none':
        bodyEnd = start;
        ended = true;
        break;
      default:
    }
    const body = bytes.subarray(start, bodyEnd);
    // The sink may abort during the call, so the state is put in order before it.
    if (ended) this.#finish();
    const kept = first
      ? exchange.sink.onHead(head, body, ended)
      : exchange.sink.onBytes(body, ended);
    if (kept && bytes === this.#buffer) this.#bufferKept = true;
    if (ended && !this.#closed && this.#exchange === undefined)
      this.#release(head, bodyEnd === end);
  }

  #finish(): void {
    if (this.#exchange !== undefined) this.#exchange.connection = undefined;
    this.#exchange = undefined;
    this.#response = undefined;
    this.#chunked = undefined;
    this.served++;
  }

  /** Back to the pool, unless something about the connection is not as it should be. */
  #release(head: ResponseHead, clean: boolean): void {
    // An answer before the end of its request leaves the rest of the request on the wire.
    if (!head.keepAlive || !clean || this.#socket.writableLength > 0 || this.#socket.destroyed) {
      this.#socket.destroy();
      return;
    }
    this.#socket.resume();
    this.#owner.connectionFree(this);
  }

  #onEnd(): void {
    const exchange = this.#exchange;
    if (exchange !== undefined && this.#response?.framing === 'until-close') {
      this.#finish();
      exchange.sink.onBytes(Buffer.alloc(0), true);
    }
    this.#socket.destroy();
  }

  #onClose(): void {
    this.#closed = true;
    this.#owner.connectionClosed(this);
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (exchange === undefined) return;
    const why = this.#error?.message ?? 'the engine closed the connection';
    const kind = !this.connected ? 'connect' : this.#response ? 'truncated' : 'reset';
    this.#owner.exchangeFailed(this, exchange, kind, why);
  }
}
