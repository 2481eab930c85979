// Unix time with parts of milliseconds, which Date.now() lacks: a load from disk takes less than one.

/**
 * Returns a clock that runs like a monotonic clock and stays within a millisecond of the wall clock.
 *
 * @param wallMs Unix time in whole milliseconds.
 * @param monotonicMs Milliseconds since any time, with parts.
 * @param firstOriginMs Unix time at 0 of the monotonic clock, as far as known.
 */
export function unixClock(
  wallMs: () => number = Date.now,
  monotonicMs: () => number = () => performance.now(),
  firstOriginMs: number = performance.timeOrigin,
): () => number {
  let originMs = firstOriginMs;
  return () => {
    const [wall, monotonic] = [wallMs(), monotonicMs()];
    // The wall clock cuts off parts, so the time is between what it says and a millisecond later.
    originMs = Math.min(Math.max(originMs, wall - monotonic), wall + 1 - monotonic);
    return originMs + monotonic;
  };
}
