import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unixClock } from './unix-clock.ts';

/** A wall clock that counts whole milliseconds, beside a clock that counts their parts. */
function clocks(at: { wallMs: number; monotonicMs: number }) {
  return unixClock(
    () => Math.floor(at.wallMs),
    () => at.monotonicMs,
    0,
  );
}

test('times have parts of milliseconds, so that spans within one have a duration', () => {
  const at = { wallMs: 1_700_000_000_000.25, monotonicMs: 5_000 };
  const now = clocks(at);
  const first = now();
  at.wallMs += 0.4;
  at.monotonicMs += 0.4;
  assert.ok(Math.abs(now() - first - 0.4) < 1e-3);
});

test('times follow the wall clock within a millisecond when it is set or drifts', () => {
  const at = { wallMs: 1_700_000_000_000, monotonicMs: 5_000 };
  const now = clocks(at);
  now();
  for (const step of [3_600_000, -7_200_000, 0.3, 0]) {
    at.wallMs += step;
    assert.ok(Math.abs(now() - at.wallMs) <= 1.001, String(step));
  }
});
