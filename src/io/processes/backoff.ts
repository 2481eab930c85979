// Computes how long to wait before restarting a failed child.

/** First wait: long enough for the kernel to free a port, too short to be noticed. */
const firstDelayMs = 250;
/** Longest wait: a user who fixes the cause sees the effect within half a minute. */
const longestDelayMs = 30_000;

/** Failures of a child are forgotten once it has been healthy for this long. */
export const forgiveAfterMs = 60_000;

/**
 * Returns the wait before a restart in milliseconds: 250, doubled with each consecutive failure, at
 * most 30 s.
 *
 * @param failures Consecutive failures, this one included; at least 1.
 * @example restartDelayMs(1); // 250
 * @example restartDelayMs(4); // 2000
 */
export function restartDelayMs(failures: number): number {
  return Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(failures - 1, 30));
}
