import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StreamSeries } from '../metrics/engine-metrics.ts';
import { ResponseTiming } from './response-timing.ts';

/** Series that record what they observe. */
function recorded() {
  const firstTokens: number[] = [];
  const gaps: { readonly seconds: number; readonly count: number }[] = [];
  const windows: unknown[] = [];
  const series = {
    firstTokenSeconds: { observe: (seconds: number) => firstTokens.push(seconds) },
    tokenGapSeconds: {
      observe: (seconds: number, count: number) => gaps.push({ seconds, count }),
    },
    windows: { add: (...args: unknown[]) => windows.push(args) },
  } as unknown as StreamSeries;
  return { series, firstTokens, gaps, windows };
}

test('the time to first token counts from the arrival, once, even if the stream moves', () => {
  const { series, firstTokens, windows } = recorded();
  const timing = new ResponseTiming(1_000);
  assert.equal(timing.ttftSeconds, undefined);
  timing.firstByte(series, 1_250);
  timing.firstByte(series, 9_000);
  assert.deepEqual([firstTokens, windows], [[0.25], [['ttft', 0.25, 1.25]]]);
  assert.equal(timing.ttftSeconds, 0.25);
  assert.equal(timing.seconds(3_000), 2);
});

test('a read of several chunks has as many equal gaps; the last read and an empty one have none', (t) => {
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  const { series, gaps } = recorded();
  const timing = new ResponseTiming(0);
  nowMs = 50;
  timing.read(3, false);
  assert.deepEqual(gaps, [], 'before the first byte of a stream');
  timing.firstByte(series, 100);
  timing.begun(1);
  nowMs = 160;
  timing.read(3, false);
  nowMs = 170;
  timing.read(0, false);
  nowMs = 180;
  timing.read(1, false);
  nowMs = 190;
  timing.read(2, true);
  assert.deepEqual(gaps, [
    { seconds: 0.02, count: 3 },
    { seconds: 0.02, count: 1 },
  ]);
});

test('the time per token is over the tokens after the first, counted by chunks if need be', () => {
  const timing = new ResponseTiming(0);
  assert.equal(timing.tokenSeconds(5, 900), undefined, 'no streamed text');
  timing.firstByte(recorded().series, 100);
  assert.equal(timing.tokenSeconds(5, 2_100), 0.5);
  assert.equal(timing.tokenSeconds(1, 900), undefined);
  assert.equal(timing.tokenSeconds(2, 2_100), 2);
  timing.begun(1);
  timing.read(4, true);
  // Four chunks with a token each, and `[DONE]`.
  assert.equal(timing.tokenSeconds(undefined, 1_600), 0.5);
});
