// A listening socket and the connections that it has accepted.
import type { Socket } from 'node:net';
import { ZmqListener } from './listener.ts';
import type { ZmtpSocketType } from './zmtp.ts';
import { ZmtpConnection, type ZmtpLimits } from './zmtp-connection.ts';

export interface ListeningSocketOptions {
  readonly endpoint: string;
  readonly socketType: ZmtpSocketType;
  readonly limits?: Partial<ZmtpLimits> | undefined;
  /** Called for each connection. @returns What receives its messages, whose frames lie in the receive buffer. */
  readonly accept: (connection: ZmtpConnection) => (frames: readonly Uint8Array[]) => void;
}

export class ListeningSocket {
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
  static async open({
    endpoint,
    socketType,
    limits,
    accept,
  }: ListeningSocketOptions): Promise<ListeningSocket> {
    const connections = new Set<ZmtpConnection>();
    const onSocket = (socket: Socket): void => {
      const connection: ZmtpConnection = new ZmtpConnection(socket, {
        ...{ socketType, limits },
        handlers: {
          message: (frames) => onMessage(frames),
          closed: () => connections.delete(connection),
        },
      });
      connections.add(connection);
      const onMessage = accept(connection);
    };
    return new ListeningSocket(await ZmqListener.listen(endpoint, onSocket), connections);
  }

  async close(): Promise<void> {
    const closing = [this.#listener.close()];
    for (const connection of this.#connections) closing.push(connection.close());
    await Promise.all(closing);
  }
}
