// ROUTER: replies to each of many clients individually.
import type { Socket } from 'node:net';
import { ZmqListener } from './listener.ts';
import { encodeMessage } from './zmtp.ts';
import { ZmtpConnection, type ZmtpLimits } from './zmtp-connection.ts';

/** One client of a ROUTER. */
export interface RouterPeer {
  send(frames: readonly Uint8Array[]): void;
  /** Number of messages sent but not yet accepted by the kernel. */
  readonly queuedMessages: number;
  /** Resolves once the client has room for more, or is gone. */
  drained(): Promise<void>;
  /** Ends the connection at once. */
  fail(error: Error): void;
  readonly connected: boolean;
  /** Address of this machine to which the client connected, which it can reach. */
  readonly localAddress: string | undefined;
}

export interface RouterSocketOptions {
  readonly endpoint: string;
  /** Frames as the client sent them, without the identity that a ROUTER prepends. */
  readonly onMessage: (peer: RouterPeer, frames: readonly Uint8Array[]) => void;
  readonly limits?: Partial<ZmtpLimits>;
}

export class RouterSocket {
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
  static async open(options: RouterSocketOptions): Promise<RouterSocket> {
    const connections = new Set<ZmtpConnection>();
    const accept = (socket: Socket): void => {
      const connection = new ZmtpConnection(socket, {
        socketType: 'ROUTER',
        limits: options.limits,
        handlers: {
          message: (frames) => options.onMessage(peer, frames),
          closed: () => connections.delete(connection),
        },
      });
      const peer: RouterPeer = {
        send: (frames) => connection.send(encodeMessage(frames)),
        drained: () => connection.drained(),
        fail: (error) => connection.fail(error),
        get queuedMessages() {
          return connection.queuedMessages;
        },
        get connected() {
          return connection.ready;
        },
        get localAddress() {
          return connection.localAddress;
        },
      };
      connections.add(connection);
    };
    return new RouterSocket(await ZmqListener.listen(options.endpoint, accept), connections);
  }

  async close(): Promise<void> {
    const closing = [this.#listener.close()];
    for (const connection of this.#connections) closing.push(connection.close());
    await Promise.all(closing);
  }
}
