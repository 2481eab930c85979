import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EngineSeries, judge } from '../../core/gate/index.ts';
import { gateChart } from './index.ts';

const window = { start: 1_763_800_000, end: 1_763_886_400 };
const intervalSeconds = 600;

test('draws a curve for each stretch of samples, by verdict, and the limit', () => {
  const picture = pictureOf([
    { ...series('<calm>', () => 0.4) },
    { ...series('full', () => 0.97) },
    // Without samples in the middle third of the window.
    { ...series('gone', (i) => (i > 48 && i < 96 ? Number.NaN : 0.5)) },
  ]);
  const lines = [...picture.matchAll(/<polyline class="line s(\w+)" [^>]*><title>([^<]*)/g)];
  assert.deepEqual(
    lines.map(([, colour, name]) => [colour, name]),
    [
      ['good', '&lt;calm&gt;'],
      ['soft', 'gone'],
      ['soft', 'gone'],
      ['bad', 'full'],
    ],
  );
  for (const text of ['within the limit', 'over the limit', 'too little data', 'limit 92 %']) {
    assert.ok(picture.includes(text), text);
  }
  assert.match(picture, /2025-11-22 08:26/);
});

test('draws an empty chart for engines without samples', () => {
  assert.match(pictureOf([]), /^<svg /);
});

function series(name: string, valueAt: (index: number) => number): EngineSeries {
  const times = Array.from({ length: 145 }, (_, i) => window.start + i * intervalSeconds);
  return { name, times, values: times.map((_, i) => valueAt(i)), restarts: 0 };
}

function pictureOf(engines: readonly EngineSeries[]): string {
  const max = 0.92;
  return gateChart({
    ...judge(engines, { window, intervalSeconds, max }),
    max,
    window,
    intervalSeconds,
  });
}
