// One connection to a cache server: requests in order, replies in the same order, a deadline for each.
import { connect, isIP, type Socket } from 'node:net';
import { checkServerIdentity, type SecureContext, connect as tlsConnect } from 'node:tls';
import { NoResponseError } from '../../core/base/index.ts';

/** What waits for one reply. */
export interface Exchange {
  /** Takes bytes of its reply. @returns How many, and whether the reply is complete. @throws If they make no sense. */
  take(bytes: Uint8Array): { readonly used: number; readonly isDone: boolean };
}

interface Pending extends Exchange {
  resolve(): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout | undefined;
}

/** How a server with TLS is trusted. */
export interface ClientTls {
  /** Authorities and this client's certificate, asked for each connection. @default what Node trusts */
  readonly context?: (() => SecureContext) | undefined;
  /** Name that the server's certificate must have. @default the host */
  readonly serverName?: string | undefined;
}

export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  /** Undefined for a plain connection. */
  readonly tls?: ClientTls | undefined;
  /** Time for one exchange, connecting included. */
  readonly timeoutMs: number;
  /** Time after a failure in which further exchanges fail at once; it doubles with each failure in a row, up to 30 s. */
  readonly retryMs: number;
  /** Sent first on each connection; its replies have to be read by `greeted`. */
  readonly greeting?: () => readonly Uint8Array[];
  readonly greeted?: () => readonly Exchange[];
}

/** Longest time for which a server that failed is left alone. */
const pauseMsMax = 30_000;

/** Connects when something is to be sent, and again after a failure. */
export class Connection {
  readonly #options: ConnectionOptions;
  #socket: Socket | undefined;
  #pending: Pending[] = [];
  /** Requests without a reply that are not written yet. */
  readonly #sending = new Set<Pending>();
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #failuresInRow = 0;
  #failure: Error | undefined;
  #isClosed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /**
   * Sends a request.
   *
   * @param exchange Reads the reply; undefined for a request without one, which is over when it is sent.
   * @throws {NoResponseError} If the connection breaks, or the time is over.
   */
  async send(parts: readonly Uint8Array[], exchange?: Exchange): Promise<void> {
    const socket = this.#open();
    await new Promise<void>((resolve, reject) => {
      const pending: Pending = {
        take: (bytes) => exchange?.take(bytes) ?? { used: 0, isDone: true },
        ...{ resolve, reject },
        timer: setTimeout(() => {
          this.#fail(this.#error(`did not respond within ${this.#options.timeoutMs} ms`));
        }, this.#options.timeoutMs),
      };
      if (exchange === undefined) this.#sendOnly(socket, parts, pending);
      else {
        this.#pending.push(pending);
        this.#write(socket, parts);
      }
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#fail(this.#error('was closed'));
  }

  #sendOnly(socket: Socket, parts: readonly Uint8Array[], pending: Pending): void {
    this.#sending.add(pending);
    this.#write(socket, parts, () => {
      if (!this.#sending.delete(pending)) return;
      clearTimeout(pending.timer);
      pending.resolve();
    });
  }

  /** Header and body leave together. */
  #write(socket: Socket, parts: readonly Uint8Array[], done?: () => void): void {
    socket.cork();
    for (const [i, part] of parts.entries()) {
      socket.write(part, i < parts.length - 1 ? undefined : (error) => void (error ?? done?.()));
    }
    socket.uncork();
  }

  #open(): Socket {
    if (this.#socket !== undefined) return this.#socket;
    if (this.#isClosed) throw this.#error('was closed');
    const pauseMs = Math.min(this.#options.retryMs * 2 ** (this.#failuresInRow - 1), pauseMsMax);
    if (performance.now() - this.#failedAtMs < pauseMs && this.#failure) throw this.#failure;
    const { greeting, greeted } = this.#options;
    const socket = openSocket(this.#options);
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (socket === this.#socket) this.#fail(this.#error(`: ${error.code ?? error.message}`));
    });
    socket.on('close', () => {
      if (socket === this.#socket) this.#fail(this.#error('closed the connection'));
    });
    for (const exchange of greeted?.() ?? []) {
      const ignored = { resolve: () => {}, reject: () => {}, timer: undefined };
      this.#pending.push({ take: (bytes) => exchange.take(bytes), ...ignored });
    }
    if (greeting !== undefined) this.#write(socket, greeting());
    return socket;
  }

  #receive(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0) {
      const [first] = this.#pending;
      if (first === undefined) {
        this.#fail(this.#error('sent more than it was asked for'));
        return;
      }
      let taken: ReturnType<Exchange['take']>;
      try {
        taken = first.take(rest);
      } catch (error) {
        this.#fail(this.#error(`: ${error instanceof Error ? error.message : error}`));
        return;
      }
      rest = rest.subarray(taken.used);
      if (!taken.isDone) continue;
      this.#pending.shift();
      this.#failuresInRow = 0;
      clearTimeout(first.timer);
      first.resolve();
    }
  }

  /** A reply that is missing leaves the stream out of step, so everything that waits fails with it. */
  #fail(error: Error): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
    this.#failedAtMs = performance.now();
    this.#failuresInRow++;
    this.#failure = error;
    const waiting = [...this.#pending, ...this.#sending];
    this.#pending = [];
    this.#sending.clear();
    for (const { timer, reject } of waiting) {
      clearTimeout(timer);
      reject(error);
    }
  }

  #error(what: string): NoResponseError {
    const { host, port } = this.#options;
    const space = what.startsWith(':') ? '' : ' ';
    return new NoResponseError(`The cache server at ${host}:${port}${space}${what}.`);
  }
}

function openSocket({ host, port, tls }: ConnectionOptions): Socket {
  if (tls === undefined) return connect({ host, port, noDelay: true });
  const serverName = tls.serverName ?? host;
  const socket = tlsConnect({
    ...{ host, port, secureContext: tls.context?.() },
    // An address is no name for SNI; certificates are compared with it all the same.
    servername: isIP(serverName) === 0 ? serverName : '',
    checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate),
  });
  return socket.setNoDelay(true);
}
