// What it costs the GPUs of one engine to sum up their partial results.
import { interpolate, type Samples } from './interpolation.ts';

/** The link between them. */
export interface AllReduceLink {
  /** Of the smallest all-reduce, whatever it sums. */
  readonly latencySeconds: number;
  /** What each GPU sends, and gets: NCCL's bus bandwidth. */
  readonly bytesPerSecond: number;
  /** Seconds by the bytes that each GPU sends; where measured they take the place of the two. */
  readonly measured?: Samples;
}

/**
 * A ring: each GPU sends its part of the tensor to all others twice, 2 (n − 1) / n of its bytes.
 *
 * @param bytes Of the tensor that is summed.
 */
export function allReduceSeconds(link: AllReduceLink, bytes: number, gpus: number): number {
  const sent = (2 * (gpus - 1) * bytes) / gpus;
  if (link.measured !== undefined) return interpolate(link.measured, sent);
  return link.latencySeconds + sent / link.bytesPerSecond;
}
