// ROUTER: replies to each of many clients individually.
import { ListeningSocket } from './listening-socket.ts';
import { encodeMessage } from './zmtp.ts';
import type { ZmtpConnection, ZmtpLimits } from './zmtp-connection.ts';

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

/**
 * Listens.
 *
 * @throws {InputError} If the endpoint is malformed or cannot be listened on.
 */
export function openRouterSocket({
  endpoint,
  onMessage,
  limits,
}: RouterSocketOptions): Promise<ListeningSocket> {
  const accept = (connection: ZmtpConnection) => {
    const peer = peerOf(connection);
    return (frames: readonly Uint8Array[]) => onMessage(peer, frames);
  };
  return ListeningSocket.open({ endpoint, socketType: 'ROUTER', limits, accept });
}

function peerOf(connection: ZmtpConnection): RouterPeer {
  return {
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
}
