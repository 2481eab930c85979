// PULL: receives the messages of many PUSH clients, and never replies.
import { ListeningSocket } from './listening-socket.ts';
import type { ZmtpLimits } from './zmtp-connection.ts';

export interface PullSocketOptions {
  readonly endpoint: string;
  /** Called with a whole message. Its frames lie in the receive buffer: copy them to keep them. */
  readonly onMessage: (frames: readonly Uint8Array[]) => void;
  readonly limits?: Partial<ZmtpLimits>;
}

/**
 * Listens.
 *
 * @throws {InputError} If the endpoint is malformed or cannot be listened on.
 */
export function openPullSocket({
  endpoint,
  onMessage,
  limits,
}: PullSocketOptions): Promise<ListeningSocket> {
  const accept = () => onMessage;
  return ListeningSocket.open({ endpoint, socketType: 'PULL', limits, accept });
}
