// How long a dead child waits before it is started again.

/** First wait: long enough for the kernel to free a port, short enough not to be noticed. */
const firstDelayMs = 250;
/** Longest wait: somebody who mends the cause sees the effect within half a minute. */
const longestDelayMs = 30_000;

/** A child that was healthy for this long has earned a fresh start: its failures are forgotten. */
export const forgiveAfterMs = 60_000;

/**
 * Wait before a restart in milliseconds: 250 doubled per failure in a row, at most 30 s.
 *
 * @param failures Deaths in a row, this one included; at least 1.
 * @example restartDelayMs(1); // 250
 * @example restartDelayMs(4); // 2000
 */
export function restartDelayMs(failures: number): number {
  return Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(failures - 1, 30));
}
