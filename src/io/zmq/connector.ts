// Maintains a connection to one endpoint: connects, and reconnects after a growing pause.
import { connect } from 'node:net';
import { connectOptions, parseZmqEndpoint } from './endpoint.ts';
import type { ZmtpSocketType } from './zmtp.ts';
import { ZmtpConnection, type ZmtpHandlers, type ZmtpLimits } from './zmtp-connection.ts';

export interface ConnectorOptions {
  readonly endpoint: string;
  readonly socketType: ZmtpSocketType;
  readonly limits?: Partial<ZmtpLimits> | undefined;
  /** Pause before the first reconnection; doubles up to `reconnectMsMax`. @default 100 */
  readonly reconnectMs?: number | undefined;
  /** @default 5000 */
  readonly reconnectMsMax?: number | undefined;
  readonly handlers: ZmtpHandlers;
}

/** Runs until closed; `handlers` are called for every connection in turn. */
export class ZmqConnector {
  readonly #options: ConnectorOptions;
  #connection: ZmtpConnection | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;
  #attempts = 0;

  /** @throws {InputError} If the endpoint is malformed. */
  constructor(options: ConnectorOptions) {
    parseZmqEndpoint(options.endpoint);
    this.#options = options;
    this.#connect();
  }

  /** The connection, while it is established. */
  get connection(): ZmtpConnection | undefined {
    return this.#connection?.ready ? this.#connection : undefined;
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#timer);
    await this.#connection?.close();
  }

  #connect(): void {
    const { endpoint, socketType, limits, handlers } = this.#options;
    // The handshake deadline covers connecting too, so a host that drops packets is given up.
    const socket = connect(connectOptions(parseZmqEndpoint(endpoint)));
    this.#connection = new ZmtpConnection(socket, {
      socketType,
      limits,
      handlers: {
        ready: () => {
          this.#attempts = 0;
          handlers.ready?.();
        },
        message: (frames) => handlers.message?.(frames),
        command: (command) => handlers.command?.(command),
        closed: (error) => {
          this.#connection = undefined;
          if (!this.#closing) this.#connectLater();
          handlers.closed?.(error);
        },
      },
    });
  }

  #connectLater(): void {
    const { reconnectMs = 100, reconnectMsMax = 5000 } = this.#options;
    const pauseMs = Math.min(reconnectMs * 2 ** this.#attempts, reconnectMsMax);
    this.#attempts += 1;
    this.#timer = setTimeout(() => this.#connect(), pauseMs);
  }
}
