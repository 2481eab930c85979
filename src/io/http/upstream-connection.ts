// One connection to an engine: sends a request, parses the framing of the response, relays the
// bytes.
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import { ChunkedReader } from './chunked-reader.ts';
import { hostLookups } from './host-lookups.ts';
import { readBuffers as buffers } from './read-buffers.ts';
import { type PausedReader, ReadTurns } from './read-turns.ts';
import { parseResponseHead, type ResponseHead } from './response-head.ts';
import { HttpSyntaxError } from './syntax-error.ts';
import type { UpstreamExchange, UpstreamFailureKind } from './upstream-exchange.ts';
import { writeTogether } from './write-together.ts';

/** Address of an engine. */
export interface Origin {
  readonly secure: boolean;
  readonly host: string;
  /** Address of the host to connect to; any if undefined. */
  readonly address: string | undefined;
  readonly port: number;
}

/** How a connection proves itself to an engine, and checks the engine. */
export interface UpstreamTls {
  /** Trusted authorities, and the certificate that engines may ask for. */
  readonly context: SecureContext;
  /** Name that the engine's certificate must have. @default the host of its URL */
  readonly serverName?: string | undefined;
}

/** Callbacks from a connection to its pool. */
export interface ConnectionOwner {
  /** The response is complete and the connection may serve another request. */
  connectionFree(connection: UpstreamConnection): void;
  connectionClosed(connection: UpstreamConnection): void;
  /** @param exchange The request without a complete response. */
  exchangeFailed(
    connection: UpstreamConnection,
    exchange: UpstreamExchange,
    kind: UpstreamFailureKind,
    message: string,
  ): void;
}

/** Ends a chunked body without trailers, after its last chunk. */
const finalLine = Buffer.from('\r\n');

/** Of all connections to engines of this process. */
const reads = new ReadTurns(setImmediate);

export class UpstreamConnection implements PausedReader {
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  /** While it receives a response whose bytes may be kept; otherwise it reads into the shared one. */
  #buffer: Buffer | undefined = undefined;
  #exchange: UpstreamExchange | undefined = undefined;
  #error: NodeJS.ErrnoException | undefined = undefined;
  /** The start of a head whose end has not arrived yet. */
  #headStart: Buffer | undefined = undefined;
  #response: ResponseHead | undefined = undefined;
  #chunked: ChunkedReader | undefined = undefined;
  #remaining = 0;
  #closed = false;
  #answered = false;
  connected = false;
  /** Number of completed requests. */
  served = 0;
  /**
   * For the pool's deadlines: tick of the start of the request, of the last byte, or of becoming
   * idle.
   */
  sinceTick = 0;

  /** @param tls For an origin with TLS. @default the authorities that Node trusts, and no certificate */
  constructor(owner: ConnectionOwner, origin: Origin, tls: UpstreamTls | undefined) {
    this.#owner = owner;
    const options = {
      host: origin.address ?? origin.host,
      port: origin.port,
      noDelay: true,
      lookup: hostLookups.lookup,
      // Reading into a separate buffer saves an allocation, a copy and Node's stream machinery.
      onread: {
        buffer: () => this.#nextBuffer(),
        callback: (length: number, buffer: Uint8Array) => this.#onRead(length, buffer as Buffer),
      },
    };
    this.#socket = origin.secure
      ? connectTls({
          ...options,
          // RFC 6066 §3 allows no address here; Node checks the certificate against `host` then.
          servername: tls?.serverName ?? (isIP(origin.host) ? '' : origin.host),
          ...(tls && { secureContext: tls.context }),
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

  /** Whether a byte of the current response has arrived. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Whether more of the body could follow at the current position. */
  get betweenChunks(): boolean {
    return this.#chunked?.betweenChunks ?? this.#response?.framing === 'until-close';
  }

  /** Node's code of the error that broke the connection. */
  get errorCode(): string | undefined {
    return this.#error?.code;
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

  /** Drops the request and destroys the socket, without a callback. */
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

  /** Where the next read goes. Node asks after each one. */
  #nextBuffer(): Buffer {
    const exchange = this.#exchange;
    const isKept =
      exchange !== undefined && this.#response !== undefined && !exchange.sink.keepsNothing;
    // One that waits for its client needs none: there may be thousands of them.
    if (isKept && !this.#socket.isPaused()) {
      this.#buffer ??= buffers.take();
      return this.#buffer;
    }
    this.#giveBuffer();
    return buffers.shared;
  }

  #giveBuffer(): void {
    if (this.#buffer !== undefined) buffers.give(this.#buffer);
    this.#buffer = undefined;
  }

  /** @returns Whether to keep reading. */
  #onRead(length: number, buffer: Buffer): boolean {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      // Bytes without a request: whatever they are, this connection is out of sync.
      this.#socket.destroy();
      return false;
    }
    this.#answered = true;
    this.sinceTick = -1;
    let bytes = buffer;
    if (buffer === buffers.shared && !exchange.sink.keepsNothing) {
      // The first bytes of a response, which the sink may keep, while other connections read into this buffer.
      this.#buffer ??= buffers.take();
      bytes = this.#buffer;
      buffer.copy(bytes, 0, 0, length);
    }
    try {
      if (this.#response === undefined) this.#readHead(exchange, bytes, length);
      else this.#readBody(exchange, this.#response, bytes, 0, length, false);
    } catch (error) {
      if (!(error instanceof HttpSyntaxError)) throw error;
      this.fail('syntax', `The engine's response is not valid HTTP: ${error.message}`);
    }
    return reads.spend(length, this);
  }

  /** For `ReadTurns`. */
  readOn(): void {
    if (!this.#socket.destroyed && !this.#socket.isPaused()) this.#socket.resume();
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
        throw new HttpSyntaxError(400, 'Switching protocols was not requested');
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
    let chunks = 0;
    let trailersStart = -1;
    switch (head.framing) {
      case 'chunked': {
        const reader = this.#chunked as ChunkedReader;
        const before = reader.chunks;
        bodyEnd = reader.read(bytes, start, end);
        chunks = reader.chunks - before;
        ended = reader.done;
        trailersStart = reader.trailersStart;
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
    // An engine's trailers are not passed on, as RFC 9112, 7.1.2 allows: clients merge them into the headers, of which
    // only some may pass.
    const partEnd = trailersStart < 0 ? bodyEnd : trailersStart;
    const part = bytes.subarray(start, partEnd);
    const body = trailersStart >= 0 && ended ? Buffer.concat([part, finalLine]) : part;
    // The sink may abort during the call, so the state is updated before it.
    if (ended) this.#finish();
    const isKept = first
      ? exchange.sink.onHead(head, body, ended, chunks)
      : exchange.sink.onBytes(body, ended, chunks);
    if (isKept && bytes === this.#buffer) {
      buffers.lend(bytes);
      this.#buffer = undefined;
    }
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

  /** Returns the connection to the pool, unless its state is unexpected. */
  #release(head: ResponseHead, clean: boolean): void {
    // If the response comes before the request has been sent completely, the rest of the request
    // remains on the wire.
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
      exchange.sink.onBytes(Buffer.alloc(0), true, 0);
    }
    this.#socket.destroy();
  }

  #onClose(): void {
    this.#closed = true;
    this.#giveBuffer();
    this.#owner.connectionClosed(this);
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (exchange === undefined) return;
    // An error for several addresses has no message of its own.
    const why = this.#error?.message || this.#error?.code || 'the engine closed the connection';
    const kind = !this.connected ? 'connect' : this.#response ? 'truncated' : 'reset';
    this.#owner.exchangeFailed(this, exchange, kind, why);
  }
}
