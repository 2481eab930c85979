// An HTTP/1.1 server on node:net, with TLS or without: small, strict, and fast enough to proxy token streams.
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { LinkedList } from '../../core/base/index.ts';
import { portError } from '../listen/index.ts';
import { BodyBudget } from './body-budget.ts';
import { BufferPool } from './buffer-pool.ts';
import type { RequestHead } from './request-head.ts';
import { ServerConnection, type ServerContext, type ServerLimits } from './server-connection.ts';
import type { ServerExchange } from './server-exchange.ts';
import { type ServerMemory, UnreadResponses, unboundedMemory } from './server-memory.ts';
import type { HttpSyntaxError } from './syntax-error.ts';
import type { Ticker } from './ticker.ts';
import { defaultTlsLimits, type ServerTls, TlsAcceptor, type TlsLimits } from './tls-acceptor.ts';

/**
 * Default limits: those of nginx, where it has such a setting. The total time of a body is Node's
 * `requestTimeout`, its minimum rate ASP.NET Kestrel's `MinRequestBodyDataRate`, 240 bytes per
 * second.
 */
export const defaultServerLimits: ServerLimits = {
  requestBytesMax: 64 * 1_048_576,
  bufferedRequestBytesMax: 1024 * 1_048_576,
  pipelinedBytesMax: 65_536,
  headTimeoutMs: 60_000,
  bodyIdleTimeoutMs: 60_000,
  bodyTimeoutMs: 300_000,
  bodyWindowMs: 20_000,
  bodyBytesPerWindowMin: 20 * 240,
  keepAliveTimeoutMs: 75_000,
  sendTimeoutMs: 300_000,
};

export interface HttpServerOptions {
  readonly ticker: Ticker;
  readonly limits?: Partial<ServerLimits>;
  /** What may be held for clients. @default no bound but the limits */
  readonly memory?: ServerMemory | undefined;
  /**
   * Maximum number of client connections. A further one replaces the connection that has been idle
   * longest; if none is idle, it is one of `reservedConnections`. @default 16384
   */
  readonly connectionsMax?: number;
  /** Serves TLS with this certificate. @default plain HTTP */
  readonly tls?: (ServerTls & { readonly limits?: Partial<TlsLimits> }) | undefined;
  /**
   * Decides about a request with a body before the body is read.
   *
   * @returns The refusal; undefined accepts the request.
   */
  readonly refuseHead?: (head: RequestHead) => HttpSyntaxError | undefined;
  /** Responds to a request. Must not throw. */
  readonly onRequest: (exchange: ServerExchange) => void;
  /**
   * Returns the whole response to a rejected request, with its head; the connection closes after
   * it.
   */
  readonly refusal: (status: number, message: string, target: string | undefined) => string;
}

/**
 * Connections accepted beyond the maximum, for health checks and scrapers: their exchanges are
 * marked `overLimit`. Further ones are closed as they arrive.
 */
const reservedConnections = 64;
/** Bytes that a socket holds for its client before `ServerExchange.congested`; Node's own choice until version 22 made it 64 KiB. */
const unsentBytesMax = 16_384;
/** Maximum size of all body buffers kept for later requests. */
const keptBodyBytesMax = 16 * 1_048_576;

export class HttpServer {
  readonly #server: Server;
  readonly #ticker: Ticker;
  readonly #connections = new Set<ServerConnection>();
  /** Connections without a request in flight, idle longest first. */
  readonly #idle = new LinkedList<ServerConnection>();
  readonly #connectionsMax: number;
  readonly #context: ServerContext & { retiring: boolean; draining: boolean };
  readonly #tls: TlsAcceptor | undefined;
  #onIdle: (() => void) | undefined = undefined;

  constructor(options: HttpServerOptions) {
    this.#ticker = options.ticker;
    const { ticker, memory = unboundedMemory() } = options;
    const { requests } = memory;
    const limits = { ...defaultServerLimits, ...options.limits };
    const connections = () => this.#connections;
    const unread = new UnreadResponses(memory, connections);
    const bytesMax = limits.bufferedRequestBytesMax;
    this.#context = {
      limits: { ...limits, requestBytesMax: Math.min(limits.requestBytesMax, requests.totalMax) },
      ticker,
      requests,
      unread,
      budget: new BodyBudget({
        ...{ ticker, bytesMax, holders: connections, memory: requests },
        makeRoom: (bytes) => unread.makeRoom(bytes),
      }),
      retiring: false,
      draining: false,
      bodies: new BufferPool({ keptBytesMax: keptBodyBytesMax }),
      refuseHead: options.refuseHead ?? (() => undefined),
      onRequest: options.onRequest,
      idleChanged: (connection, isIdle) => {
        if (isIdle) this.#idle.add(connection);
        else this.#idle.remove(connection);
      },
      refusal: options.refusal,
      connectionClosed: (connection) => this.#connectionClosed(connection),
    };
    this.#connectionsMax = options.connectionsMax ?? 16_384;
    const { tls } = options;
    this.#tls =
      tls &&
      new TlsAcceptor({
        ...{ tls, ticker, limits: tls.limits, protocols: ['http/1.1'] },
        onSecure: (socket) => this.#accept(socket),
      });
    const accept = (socket: Socket) =>
      this.#tls ? this.#tls.accept(socket) : this.#accept(socket);
    this.#server = createServer({ noDelay: true, highWaterMark: unsentBytesMax }, accept);
    const handshakesMax = tls ? { ...defaultTlsLimits, ...tls.limits }.handshakesMax : 0;
    // One place more than the handshakes may have, for the one that makes room for itself.
    this.#server.maxConnections =
      this.#connectionsMax + reservedConnections + handshakesMax + (tls ? 1 : 0);
  }

  /**
   * Starts listening.
   *
   * @param port 0 for any free port.
   * @returns The port.
   * @param flag The flag that chooses another port, for the message.
   * @throws {InputError} If the port is in use or the address is not one of this machine.
   */
  listen(host: string, port: number, flag?: string): Promise<number> {
    this.#ticker.add(this);
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        this.#ticker.remove(this);
        reject(portError(error, host, port, flag));
      });
      this.#server.listen(port, host, () => {
        this.#server.removeAllListeners('error');
        // A failing accept (no file descriptor left) must not end the program.
        this.#server.on('error', () => {});
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** Number of requests in flight. */
  get busyConnections(): number {
    let busy = 0;
    for (const connection of this.#connections) if (connection.busy) busy++;
    return busy;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Number of connections whose TLS handshake is not complete. */
  get handshakes(): number {
    return this.#tls?.pending ?? 0;
  }

  /** Uses another certificate for new connections; the server must have been created with one. */
  renewTls(tls: ServerTls): void {
    this.#tls?.renew(tls);
  }

  onTick(nowTick: number): void {
    for (const connection of this.#connections) connection.onTick(nowTick);
  }

  /**
   * Announces a stop: connections and requests are still accepted, but each response closes its
   * connection, so that clients connect again, to wherever new connections go by then.
   */
  retire(): void {
    this.#context.retiring = true;
  }

  /** Accepts no new connections or requests. Resolves when those in flight are complete. */
  drain(): Promise<void> {
    this.#context.retiring = true;
    this.#context.draining = true;
    this.#server.close();
    this.#tls?.close();
    for (const connection of this.#connections) connection.closeWhenIdle();
    return new Promise((resolve) => {
      if (this.#connections.size === 0) resolve();
      else this.#onIdle = resolve;
    });
  }

  /** Asks the handlers of all requests in flight to end their responses now: `ExchangeListener.onStop`. */
  stopExchanges(): void {
    for (const connection of this.#connections) connection.stopExchange();
  }

  /** Destroys every connection. */
  destroy(): void {
    this.#context.draining = true;
    this.#server.close();
    this.#tls?.close();
    for (const connection of this.#connections) connection.socket.destroy();
    this.#ticker.remove(this);
  }

  #accept(socket: Socket): void {
    if (this.#connections.size >= this.#connectionsMax) this.#closeLongestIdle();
    // A plain server has the bound in `maxConnections`; there, handshakes have places of their own.
    if (this.#connections.size >= this.#connectionsMax + reservedConnections) {
      socket.destroy();
      return;
    }
    const overLimit = this.#connections.size >= this.#connectionsMax;
    const connection = new ServerConnection(this.#context, socket, overLimit);
    this.#connections.add(connection);
    this.#idle.add(connection);
  }

  #closeLongestIdle(): void {
    const connection = this.#idle.first;
    if (connection === undefined) return;
    // The place is free now, although the close event comes later.
    this.#connectionClosed(connection);
    connection.socket.destroy();
  }

  #connectionClosed(connection: ServerConnection): void {
    this.#idle.remove(connection);
    if (!this.#connections.delete(connection)) return;
    if (this.#connections.size === 0) this.#onIdle?.();
  }
}
