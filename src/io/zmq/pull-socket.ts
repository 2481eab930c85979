// PULL: receives the messages of many PUSH clients, and never replies.
import type { Socket } from 'node:net';
import { ZmqListener } from './listener.ts';
import { ZmtpConnection, type ZmtpLimits } from './zmtp-connection.ts';

export interface PullSocketOptions {
  readonly endpoint: string;
  /** Called with a whole message. Its frames lie in the receive buffer: copy them to keep them. */
  readonly onMessage: (frames: readonly Uint8Array[]) => void;
  readonly limits?: Partial<ZmtpLimits>;
}

export class PullSocket {
  /** As requested, with the port that the system chose in place of 0. */
  readonly endpoint: string;
  readonly #listener: ZmqListener;
  readonly #connections: Set<ZmtpConnection>;

  private constructor(listener: ZmqListener, connections: Set<ZmtpConnection>) {
    this.#listener = listener;
    this.endpoint = listener.endpoint;
    this.#connections = connections;
  }

  /** @throws {InputError} If the endpoint is malformed or cannot be listened on. */
  static async open({ endpoint, onMessage, limits }: PullSocketOptions): Promise<PullSocket> {
    const connections = new Set<ZmtpConnection>();
    const accept = (socket: Socket): void => {
      const connection = new ZmtpConnection(socket, {
        ...{ socketType: 'PULL', limits },
        handlers: { message: onMessage, closed: () => connections.delete(connection) },
      });
      connections.add(connection);
    };
    return new PullSocket(await ZmqListener.listen(endpoint, accept), connections);
  }

  async close(): Promise<void> {
    const closing = [this.#listener.close()];
    for (const connection of this.#connections) closing.push(connection.close());
    await Promise.all(closing);
  }
}
