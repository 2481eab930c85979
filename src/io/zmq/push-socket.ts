// PUSH: sends messages to one PULL socket, and reconnects to it.
import { ZmqConnector } from './connector.ts';
import { encodeMessage } from './zmtp.ts';
import type { ZmtpLimits } from './zmtp-connection.ts';

/** Maximum number of bytes queued for the peer; further messages are dropped. */
const queuedBytesMax = 64 * 1024 * 1024;

export class PushSocket {
  readonly #connector: ZmqConnector;

  /** @throws {InputError} If the endpoint is malformed. */
  constructor(options: {
    readonly endpoint: string;
    /** Called for each connection; messages sent before it was there are lost. */
    readonly onConnected?: () => void;
    readonly limits?: Partial<ZmtpLimits>;
  }) {
    const { endpoint, limits, onConnected } = options;
    this.#connector = new ZmqConnector({
      ...{ endpoint, limits, socketType: 'PUSH' },
      handlers: { ready: () => onConnected?.() },
    });
  }

  /** @returns Whether the message is on its way: not without a connection, nor to a peer that does not read. */
  send(frames: readonly Uint8Array[]): boolean {
    const { connection } = this.#connector;
    if (connection === undefined || connection.queuedBytes >= queuedBytesMax) return false;
    connection.send(encodeMessage(frames));
    return true;
  }

  close(): Promise<void> {
    return this.#connector.close();
  }
}
