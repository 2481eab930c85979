// ROUTER: replies to each of many clients individually.
import { ZmtpError } from './errors.ts';
import { ListeningSocket } from './listening-socket.ts';
import { encodeMessage } from './zmtp.ts';
import type { ZmtpConnection, ZmtpLimits } from './zmtp-connection.ts';

/** A client that leaves so many replies unread is disconnected. */
const unreadRepliesMax = 1000;

/** One client of a ROUTER. */
export interface RouterPeer {
  /** Sends the only reply to a message. Fails a client that does not read its replies. */
  reply(frames: readonly Uint8Array[]): void;
  /** One of several replies; wait for `drained` between them. */
  send(frames: readonly Uint8Array[]): void;
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
    reply(frames) {
      if (connection.queuedMessages < unreadRepliesMax) connection.send(encodeMessage(frames));
      else connection.fail(new ZmtpError('A client does not read its replies.'));
    },
    send: (frames) => connection.send(encodeMessage(frames)),
    drained: () => connection.drained(),
    fail: (error) => connection.fail(error),
    get connected() {
      return connection.ready;
    },
    get localAddress() {
      return connection.localAddress;
    },
  };
}
