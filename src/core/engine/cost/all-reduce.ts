// What it costs the GPUs of one engine to sum up their partial results.
import { interpolate, type Samples } from './interpolation.ts';

/** The link between them. */
export interface AllReduceLink {
  /** Of the smallest all-reduce, whatever it sums. */
  readonly latencySeconds: number;
  /** What each GPU sends, and gets: NCCL's bus bandwidth. */
  readonly bytesPerSecond: number;
  /** Of so many GPUs and more the switch adds up what they send, so that each sends its part once. */
  readonly inSwitchGpusMin?: number;
  /** Seconds by the bytes that each GPU sends; where measured they take the place of the two. */
  readonly measured?: Samples;
}

/**
 * A ring: each GPU sends its part of the tensor to all others twice, 2 (n − 1) / n of its bytes.
 * Through a switch that adds up (NVLink SHARP) each sends the tensor once, whatever n.
 *
 * @param bytes Of the tensor that is summed.
 */
export function allReduceSeconds(link: AllReduceLink, bytes: number, gpus: number): number {
  const isSummed = gpus >= (link.inSwitchGpusMin ?? Number.POSITIVE_INFINITY);
  const sent = isSummed ? bytes : (2 * (gpus - 1) * bytes) / gpus;
  if (link.measured !== undefined) return interpolate(link.measured, sent);
  return link.latencySeconds + sent / link.bytesPerSecond;
}
