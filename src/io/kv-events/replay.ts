// Requests missed event batches from an engine.
import { dealerRequest } from '../zmq/index.ts';
import { readSequence, sequenceBytes } from './sequence.ts';

const endOfReplay = 'ffffffffffffffff';

/**
 * Passes on each batch that the engine still keeps, from `first` on, in order.
 *
 * @param onBatch Called with the payload in memory that is reused: copy it to keep it.
 * @throws {ZmqTimeoutError} If the engine is silent for `timeoutMs`.
 * @throws {ZmtpError} If the peer is not such an engine.
 */
export async function requestReplay(options: {
  readonly endpoint: string;
  readonly first: number;
  readonly timeoutMs: number;
  /** Largest response. */
  readonly bytesMax: number;
  readonly signal: AbortSignal;
  readonly onBatch: (sequence: number, payload: Uint8Array) => void;
}): Promise<void> {
  await dealerRequest({
    endpoint: options.endpoint,
    frames: [new Uint8Array(), sequenceBytes(options.first)],
    timeoutMs: options.timeoutMs,
    signal: options.signal,
    limits: { frameBytesMax: options.bytesMax, messageBytesMax: options.bytesMax },
    onMessage: (frames) => {
      // ["", topic, number, payload]; without the topic before July 2026.
      const [number, payload] = frames.slice(-2);
      if (number === undefined || payload === undefined || number.length !== 8) return false;
      if (Buffer.from(number).toString('hex') === endOfReplay) return true;
      options.onBatch(readSequence(number), payload);
      return false;
    },
  });
}
