// Turns accepted sockets into TLS sockets, with bounds on how many handshakes wait and how much of a turn
// they take: a handshake costs this process a signature, and a client nothing.
import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Ticker } from './ticker.ts';

/** Certificate and key as PEM texts. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  /** Authorities of clients' certificates; without any, clients need none. */
  readonly clientCa?: string | undefined;
}

export interface TlsLimits {
  /** Time from the accepted connection to the end of the handshake. ASP.NET Kestrel's default. */
  readonly handshakeTimeoutMs: number;
  /** Maximum number of handshakes that wait or run; beyond it, the address with most of them loses its oldest. */
  readonly handshakesMax: number;
}

export const defaultTlsLimits: TlsLimits = { handshakeTimeoutMs: 10_000, handshakesMax: 1_024 };

/** Time that handshakes may take in one turn of the event loop. */
const turnMsMax = 8;
/** Header of a TLS record, and the largest record (RFC 8446 §5.1). */
const recordHeadBytes = 5;
const recordBytesMax = 16_384;
const handshakeRecord = 22;
const clientHello = 1;

/** A connection without TLS yet. */
interface Pending {
  readonly socket: Socket;
  readonly address: string;
  readonly sinceTick: number;
  /** Received bytes of the first message; empty once the handshake has started. */
  hello: Buffer;
}

export class TlsAcceptor {
  /** Never listens: connections are handed to it. */
  readonly #server: Server;
  readonly #ticker: Ticker;
  readonly #limits: TlsLimits;
  readonly #hasClientCa: boolean;
  /** Oldest first, by address and port. */
  readonly #pending = new Map<string, Pending>();
  /** Complete first messages in order of arrival. */
  readonly #ready: Pending[] = [];
  #isPumping = false;
  #turnEndsMs = 0;

  constructor(options: {
    readonly tls: ServerTls;
    readonly ticker: Ticker;
    readonly limits?: Partial<TlsLimits> | undefined;
    /** Names of the protocol for ALPN. @default a client's ALPN is ignored */
    readonly protocols?: readonly string[] | undefined;
    readonly onSecure: (socket: TLSSocket) => void;
  }) {
    const { tls, ticker, limits, protocols, onSecure } = options;
    this.#ticker = ticker;
    this.#limits = { ...defaultTlsLimits, ...limits };
    this.#hasClientCa = tls.clientCa !== undefined;
    this.#server = createServer({
      ...contextOptions(tls),
      requestCert: this.#hasClientCa,
      rejectUnauthorized: this.#hasClientCa,
      ...(protocols === undefined ? {} : { ALPNProtocols: [...protocols] }),
      handshakeTimeout: this.#limits.handshakeTimeoutMs,
    });
    this.#server.on('secureConnection', (socket) => {
      this.#pending.delete(nameOf(socket));
      onSecure(socket);
    });
    // A failed handshake says nothing that a log should repeat at the pace of an attacker.
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
    ticker.add(this);
  }

  /** Number of connections whose handshake is not complete. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Uses another certificate for new connections. */
  renew(tls: ServerTls): void {
    this.#server.setSecureContext(contextOptions(tls));
  }

  accept(socket: Socket): void {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    if (this.#pending.size >= this.#limits.handshakesMax) this.#evict();
    const name = nameOf(socket);
    const pending: Pending = {
      ...{ socket, address: remoteAddress, sinceTick: this.#ticker.now },
      hello: Buffer.alloc(0),
    };
    this.#pending.set(name, pending);
    const onData = (bytes: Buffer) => this.#onData(pending, bytes, onData);
    socket.on('data', onData);
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    socket.once('close', () => {
      if (this.#pending.get(name) === pending) this.#pending.delete(name);
    });
  }

  onTick(nowTick: number): void {
    const ticksMax = this.#ticker.ticks(this.#limits.handshakeTimeoutMs);
    for (const { socket, sinceTick } of this.#pending.values()) {
      if (nowTick - sinceTick <= ticksMax) return;
      socket.destroy();
    }
  }

  /** Destroys every connection whose handshake is not complete. */
  close(): void {
    this.#ticker.remove(this);
    for (const { socket } of this.#pending.values()) socket.destroy();
    this.#pending.clear();
  }

  /** Collects the first message. The signature follows it at once, so the handshake waits for its turn. */
  #onData(pending: Pending, bytes: Buffer, onData: (bytes: Buffer) => void): void {
    const { socket } = pending;
    pending.hello = pending.hello.length === 0 ? bytes : Buffer.concat([pending.hello, bytes]);
    const state = helloState(pending.hello);
    if (state === 'partial') return;
    socket.off('data', onData);
    socket.pause();
    if (state === 'invalid') {
      socket.destroy();
      return;
    }
    this.#ready.push(pending);
    if (this.#isPumping) return;
    this.#isPumping = true;
    this.#startTurn();
  }

  #startTurn(): void {
    this.#turnEndsMs = performance.now() + turnMsMax;
    this.#pump();
  }

  #pump(): void {
    let next = this.#ready.shift();
    while (next?.socket.destroyed) next = this.#ready.shift();
    if (next === undefined) {
      this.#isPumping = false;
      return;
    }
    const { socket, hello } = next;
    next.hello = Buffer.alloc(0);
    socket.unshift(hello);
    this.#server.emit('connection', socket);
    // Node reads the message, and signs, in the next tick; ours comes after it.
    process.nextTick(() => {
      if (performance.now() < this.#turnEndsMs) this.#pump();
      else setImmediate(() => this.#startTurn());
    });
  }

  /** Makes room for one more. */
  #evict(): void {
    const counts = new Map<string, number>();
    let largest = 0;
    for (const { address } of this.#pending.values()) {
      const count = (counts.get(address) ?? 0) + 1;
      counts.set(address, count);
      largest = Math.max(largest, count);
    }
    for (const [name, { address, socket }] of this.#pending) {
      if (counts.get(address) !== largest) continue;
      this.#pending.delete(name);
      socket.destroy();
      return;
    }
  }
}

function contextOptions({ cert, key, clientCa }: ServerTls) {
  return {
    ...{ cert, key, minVersion: 'TLSv1.2' as const },
    ...(clientCa === undefined ? {} : { ca: clientCa }),
    // A client could make the server sign again and again on one connection.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  };
}

/** Names a connection, whether it has TLS already or not. */
function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Whether these bytes are a whole ClientHello in one record, as all clients send it. */
function helloState(bytes: Buffer): 'partial' | 'whole' | 'invalid' {
  if (bytes[0] !== handshakeRecord) return 'invalid';
  if (bytes.length < recordHeadBytes + 4) return 'partial';
  const recordBytes = bytes.readUInt16BE(3);
  if (recordBytes > recordBytesMax || bytes[recordHeadBytes] !== clientHello) return 'invalid';
  const helloBytes = 4 + bytes.readUIntBE(recordHeadBytes + 1, 3);
  if (helloBytes > recordBytes) return 'invalid';
  return bytes.length < recordHeadBytes + recordBytes ? 'partial' : 'whole';
}
