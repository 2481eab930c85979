// DEALER as a client that sends one request and receives many responses.
import { connect } from 'node:net';
import { connectOptions, parseZmqEndpoint } from './endpoint.ts';
import { ZmqTimeoutError } from './errors.ts';
import { encodeMessage } from './zmtp.ts';
import { ZmtpConnection, type ZmtpLimits } from './zmtp-connection.ts';

export interface DealerRequestOptions {
  readonly endpoint: string;
  readonly frames: readonly Uint8Array[];
  /** @returns True if this was the last response. Copy the frames to keep them. */
  readonly onMessage: (frames: readonly Uint8Array[]) => boolean;
  /** Deadline for connecting and the first response, and then for each further one. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly limits?: Partial<ZmtpLimits> | undefined;
}

/** Maximum of a timer; the request's own deadline covers the handshake, too. */
const timeoutMsMax = 2 ** 31 - 1;

/**
 * Connects, sends one message, and passes responses on until `onMessage` returns true.
 *
 * @throws {ZmqTimeoutError} If the peer is silent for `timeoutMs`.
 * @throws {ZmtpError} If the peer is not a ZMTP ROUTER.
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
          else reject(error ?? new ZmqTimeoutError(`${endpoint} closed before its last response.`));
        },
      },
    });
    const timer = setTimeout(() => {
      connection.fail(new ZmqTimeoutError(`${endpoint} did not respond within ${timeoutMs} ms.`));
    }, timeoutMs);
    const abort = (): void => connection.fail(abortReason(signal));
    signal?.addEventListener('abort', abort, { once: true });
  });
}

function abortReason(signal: AbortSignal | undefined): Error {
  return signal?.reason instanceof Error ? signal.reason : new Error('aborted');
}
