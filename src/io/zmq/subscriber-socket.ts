// SUB: subscribes to a publisher, and reconnects when it comes back.
import { ZmqConnector } from './connector.ts';
import { encodeMessage } from './zmtp.ts';
import type { ZmtpLimits } from './zmtp-connection.ts';

export interface SubscriberSocketOptions {
  readonly endpoint: string;
  /** Prefix of the topics to subscribe to. @default '' (all) */
  readonly topic?: string;
  /** Called with a whole message. Its frames lie in the receive buffer: copy them to keep them. */
  readonly onMessage: (frames: readonly Uint8Array[]) => void;
  /** Called when connected and subscribed; messages published before are lost. */
  readonly onConnected?: () => void;
  /** Called when the connection is lost; it reconnects. */
  readonly onDisconnected?: (error: Error | undefined) => void;
  readonly reconnectMs?: number | undefined;
  readonly reconnectMsMax?: number | undefined;
  readonly limits?: Partial<ZmtpLimits> | undefined;
}

export class SubscriberSocket {
  readonly #connector: ZmqConnector;

  /** @throws {InputError} If the endpoint is malformed. */
  constructor(options: SubscriberSocketOptions) {
    const subscription = Uint8Array.of(1, ...new TextEncoder().encode(options.topic ?? ''));
    const connector = new ZmqConnector({
      endpoint: options.endpoint,
      socketType: 'SUB',
      limits: options.limits,
      reconnectMs: options.reconnectMs,
      reconnectMsMax: options.reconnectMsMax,
      handlers: {
        ready: () => {
          connector.connection?.send(encodeMessage([subscription]));
          options.onConnected?.();
        },
        message: options.onMessage,
        closed: (error) => options.onDisconnected?.(error),
      },
    });
    this.#connector = connector;
  }

  get connected(): boolean {
    return this.#connector.connection !== undefined;
  }

  close(): Promise<void> {
    return this.#connector.close();
  }
}
