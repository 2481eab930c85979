// Deadlines of the requests of a router.

/** Deadlines of the requests of a router, in seconds; Infinity for none. */
export interface DeadlineSettings {
  /** From sending a request to the first byte of its response's body; `predicted` follows the policy. */
  readonly firstByteSeconds: number | 'predicted';
  /** Time without data on a stream that has begun. */
  readonly streamIdleSeconds: number;
  /** Time without data on all streams of an engine, after which it counts as wedged. */
  readonly engineStallSeconds: number;
  /** From the arrival of a request to the end of its response. */
  readonly totalSeconds: number;
}

/** See decision 0023 for how the numbers were chosen. */
export const defaultDeadlines: DeadlineSettings = {
  firstByteSeconds: 'predicted',
  streamIdleSeconds: 60,
  engineStallSeconds: 10,
  totalSeconds: Number.POSITIVE_INFINITY,
};
