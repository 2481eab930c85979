// Unix time for what a process compares with itself: times of expiry, last signs of life, points of a history.
import type { Clock } from '../../core/base/index.ts';

/**
 * Seconds since 1970 that never jump: the wall clock when the process started, and a monotonic clock since then. A wall clock that
 * is set back by an hour would keep what has expired for an hour, and one that is set forward would expire what is in use.
 * Where a time comes from another program, or goes to one, the wall clock counts.
 */
export const steadyUnixClock: Clock = {
  nowSeconds: () => (performance.timeOrigin + performance.now()) / 1000,
};
