// Computes the time in which the GPUs of one engine sum their partial results.
import { interpolate, type Samples } from './interpolation.ts';

/** The link between them. */
export interface AllReduceLink {
  /** Time of the smallest all-reduce. */
  readonly latencySeconds: number;
  /** Rate at which each GPU sends and receives: NCCL's bus bandwidth. */
  readonly bytesPerSecond: number;
  /** Number of GPUs from which the switch sums, so that each GPU sends its part once. */
  readonly inSwitchGpusMin?: number;
  /** Measured seconds over the bytes that each GPU sends; they override the two values above. */
  readonly measured?: Samples;
}

/**
 * Returns the time of one all-reduce. In a ring, each GPU sends its part of the tensor to all others twice:
 * 2 (n − 1) / n of its bytes. Through a switch that sums (NVLink SHARP), each sends the tensor once.
 *
 * @param bytes Size of the tensor that is summed.
 */
export function allReduceSeconds(link: AllReduceLink, bytes: number, gpus: number): number {
  const isSummed = gpus >= (link.inSwitchGpusMin ?? Number.POSITIVE_INFINITY);
  const sent = isSummed ? bytes : (2 * (gpus - 1) * bytes) / gpus;
  if (link.measured !== undefined) return interpolate(link.measured, sent);
  return link.latencySeconds + sent / link.bytesPerSecond;
}
