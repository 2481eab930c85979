// An HTTP/1.1 server on node:net: small, strict, and fast enough to stand in front of token streams.
import { type AddressInfo, createServer, type Server } from 'node:net';
import { InputError } from '../../core/base/index.ts';
import { BufferPool } from './buffer-pool.ts';
import { ServerConnection, type ServerContext, type ServerLimits } from './server-connection.ts';
import type { ServerExchange } from './server-exchange.ts';
import type { Ticker } from './ticker.ts';

/** Defaults: where nginx has such a setting, its default. */
export const defaultServerLimits: ServerLimits = {
  requestBytesMax: 64 * 1_048_576,
  bufferedRequestBytesMax: 1024 * 1_048_576,
  pipelinedBytesMax: 65_536,
  headTimeoutMs: 60_000,
  bodyIdleTimeoutMs: 60_000,
  keepAliveTimeoutMs: 75_000,
  sendTimeoutMs: 300_000,
};

export interface HttpServerOptions {
  readonly ticker: Ticker;
  readonly limits?: Partial<ServerLimits>;
  /** Most client connections at once; more are closed as they come. @default 16384 */
  readonly connectionsMax?: number;
  /** Answers a request. Must not throw. */
  readonly onRequest: (exchange: ServerExchange) => void;
  /** The whole answer, head included, to a request that is refused; the connection closes after. */
  readonly refusal: (status: number, message: string) => string;
}

/** Most bytes of body buffers kept for later requests. */
const keptBodyBytesMax = 16 * 1_048_576;

export class HttpServer {
  readonly #server: Server;
  readonly #ticker: Ticker;
  readonly #connections = new Set<ServerConnection>();
  readonly #context: ServerContext & { draining: boolean };
  #onIdle: (() => void) | undefined = undefined;

  constructor(options: HttpServerOptions) {
    this.#ticker = options.ticker;
    this.#context = {
      limits: { ...defaultServerLimits, ...options.limits },
      ticker: options.ticker,
      bufferedRequestBytes: 0,
      draining: false,
      bodies: new BufferPool({ keptBytesMax: keptBodyBytesMax }),
      onRequest: options.onRequest,
      refusal: options.refusal,
      connectionClosed: (connection) => this.#connectionClosed(connection),
    };
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#connections.add(new ServerConnection(this.#context, socket));
    });
    this.#server.maxConnections = options.connectionsMax ?? 16_384;
  }

  /**
   * Listens.
   *
   * @param port 0 for any free one.
   * @returns The port.
   * @throws {InputError} If the port is taken or the address is not ours.
   */
  listen(host: string, port: number): Promise<number> {
    this.#ticker.add(this);
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        this.#ticker.remove(this);
        reject(listenError(error, host, port));
      });
      this.#server.listen(port, host, () => {
        this.#server.removeAllListeners('error');
        // A failing accept (no file descriptor left) must not end the program.
        this.#server.on('error', () => {});
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** Requests being answered. */
  get busyConnections(): number {
    let busy = 0;
    for (const connection of this.#connections) if (connection.busy) busy++;
    return busy;
  }

  get connections(): number {
    return this.#connections.size;
  }

  onTick(nowTick: number): void {
    for (const connection of this.#connections) connection.onTick(nowTick);
  }

  /** Takes no new connections and requests; resolves when those under way are answered. */
  drain(): Promise<void> {
    this.#context.draining = true;
    this.#server.close();
    for (const connection of this.#connections) connection.closeWhenIdle();
    return new Promise((resolve) => {
      if (this.#connections.size === 0) resolve();
      else this.#onIdle = resolve;
    });
  }

  /** Cuts every connection. */
  destroy(): void {
    this.#context.draining = true;
    this.#server.close();
    for (const connection of this.#connections) connection.socket.destroy();
    this.#ticker.remove(this);
  }

  #connectionClosed(connection: ServerConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onIdle?.();
  }
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const place = `${host}:${port}`;
  if (error.code === 'EADDRINUSE') {
    return new InputError(`Port ${port} on ${host} is in use. Stop what uses it, or pass --port.`, {
      cause: error,
    });
  }
  if (error.code === 'EACCES') {
    return new InputError(`No permission to listen on ${place}. Pass a --port above 1023.`, {
      cause: error,
    });
  }
  return new InputError(`Cannot listen on ${place}: ${error.message}.`, { cause: error });
}
