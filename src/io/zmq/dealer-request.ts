// DEALER, as a client that asks once and takes many answers.
import { connect } from 'node:net';
import { connectOptions, parseZmqEndpoint } from './endpoint.ts';
import { ZmqTimeoutError } from './errors.ts';
import { encodeMessage } from './zmtp.ts';
import { ZmtpConnection, type ZmtpLimits } from './zmtp-connection.ts';

export interface DealerRequestOptions {
  readonly endpoint: string;
  readonly frames: readonly Uint8Array[];
  /** @returns True when this was the last answer. Copy what is kept of the frames. */
  readonly onMessage: (frames: readonly Uint8Array[]) => boolean;
  /** For connecting and the first answer, and then for each next one. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly limits?: Partial<ZmtpLimits> | undefined;
}

/** The most that a timer takes; the request's own deadline covers the handshake, too. */
const timeoutMsMax = 2 ** 31 - 1;

/**
 * Connects, sends one message, and hands over answers until `onMessage` says that it is over.
 *
 * @throws {ZmqTimeoutError} If the peer is silent for `timeoutMs`.
 * @throws {ZmtpError} If the peer is no ZMTP ROUTER.
 * @throws What connecting, `onMessage` or `signal` threw.
 */
export async function dealerRequest(options: DealerRequestOptions): Promise<void> {
  const { endpoint, timeoutMs, signal } = options;
  signal?.throwIfAborted();
  const socket = connect(connectOptions(parseZmqEndpoint(endpoint)));
  await new Promise<void>((resolve, reject) => {
    let done = false;
    const connection = new ZmtpConnection(socket, {
      socketType: 'DEALER',
      limits: { ...options.limits, handshakeTimeoutMs: timeoutMsMax },
      handlers: {
        ready: () => connection.send(encodeMessage(options.frames)),
        message: (frames) => {
          if (done) return;
          timer.refresh();
          done = options.onMessage(frames);
          if (done) socket.destroy();
        },
        closed: (error) => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', abort);
          if (done) resolve();
          else reject(error ?? new ZmqTimeoutError(`${endpoint} closed before its last answer.`));
        },
      },
    });
    const timer = setTimeout(() => {
      connection.fail(new ZmqTimeoutError(`${endpoint} did not answer within ${timeoutMs} ms.`));
    }, timeoutMs);
    const abort = (): void => connection.fail(abortReason(signal));
    signal?.addEventListener('abort', abort, { once: true });
  });
}

function abortReason(signal: AbortSignal | undefined): Error {
  return signal?.reason instanceof Error ? signal.reason : new Error('aborted');
}
