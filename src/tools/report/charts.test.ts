import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linearAxis } from './axis.ts';
import {
  intervalBars,
  lineChart,
  lineDrawing,
  type Point,
  pictureFile,
  sharesBar,
  stackedBars,
} from './index.ts';

const evil = '"><script>alert(1)</script>';
const points: readonly Point[] = [
  [0, 1],
  [1, 3],
  [2, undefined],
  [3, 2],
];
const estimate = { mean: 2, low: 1, high: 3 };

test('no chart lets a name, a title or a unit become markup', () => {
  const charts = [
    lineChart({
      ...{ title: evil, xLabel: evil, yLabel: evil, yText: () => evil },
      series: [
        { name: evil, points },
        { name: 'b', points },
      ],
      marks: [{ x: 1, y: 1, text: evil }],
      limit: { y: 2, text: evil },
      xTicks: [{ at: 0, text: evil }],
    }),
    lineChart({ title: evil, series: [] }),
    stackedBars({ title: evil, parts: [evil], unit: evil, rows: [{ name: evil, values: [1] }] }),
    intervalBars({
      title: evil,
      bars: [{ name: evil, estimate, isChosen: true }],
      text: () => evil,
    }),
    sharesBar({ title: evil, parts: [{ name: evil, value: 1, colour: 0 }], text: () => evil }),
    pictureFile(evil, [lineDrawing({ title: evil, series: [{ name: evil, points }] })]),
  ];
  for (const chart of charts) {
    assert.doesNotMatch(String(chart), /<script/);
    assert.match(String(chart), /&lt;script/);
  }
});

test('a gap parts a curve, and the curve stays within its box', () => {
  const { marks, width, height } = lineDrawing({ title: 't', series: [{ name: 'a', points }] });
  const lines = [...String(marks).matchAll(/<polyline [^>]*points="([^"]*)"/g)].map(
    ([, p = '']) => p,
  );
  assert.deepEqual(
    lines.map((line) => line.split(' ').length),
    [2, 1],
  );
  for (const [x = Number.NaN, y = Number.NaN] of lines
    .join(' ')
    .split(' ')
    .map((pair) => pair.split(',').map(Number))) {
    assert.ok(x >= 0 && x <= width && y >= 0 && y <= height, `${x},${y}`);
  }
});

test('a stepped curve has a corner before each further point', () => {
  const series = [
    {
      name: 'a',
      points: [
        [0, 0],
        [1, 1],
      ] as const,
      isStepped: true,
    },
  ];
  const [, line = ''] =
    /points="([^"]*)"/.exec(String(lineDrawing({ title: 't', series }).marks)) ?? [];
  const [first, corner, last] = line.split(' ').map((pair) => pair.split(','));
  assert.equal(corner?.[1], first?.[1]);
  assert.equal(corner?.[0], last?.[0]);
});

test('on a logarithmic axis what is not above 0 is left out, and ticks are 1, 2 and 5', () => {
  const chart = String(
    lineChart({
      title: 't',
      logX: true,
      series: [
        {
          name: 'a',
          points: [
            [0, 1],
            [1, 1],
            [10, 2],
          ],
        },
      ],
    }),
  );
  assert.equal(/points="([^"]*)"/.exec(chart)?.[1]?.split(' ').length, 2);
  for (const tick of ['>1<', '>2<', '>5<', '>10<']) assert.ok(chart.includes(tick), tick);
});

test('a chart of millions of points draws what a screen can show', () => {
  const many = Array.from({ length: 300_000 }, (_, i): Point => [i, i % 7]);
  const chart = String(lineChart({ title: 't', series: [{ name: 'a', points: many }] }));
  assert.ok(chart.length < 50_000, `${chart.length}`);
});

test('long names are shortened and many names take several rows', () => {
  const series = Array.from({ length: 8 }, (_, i) => ({ name: `${i}-${'x'.repeat(60)}`, points }));
  const chart = String(lineChart({ title: 't', series }));
  assert.match(chart, /x…<\/text>/);
  const rows = new Set(
    [...chart.matchAll(/class="line s\d" d="M[\d.]+ (\d+)h14"/g)].map(([, y]) => y),
  );
  assert.equal(rows.size, 8);
});

test('a file has its own colours for light and dark and needs nothing else', () => {
  const file = pictureFile('t', [lineDrawing({ title: 'a', series: [{ name: 'a', points }] })]);
  assert.match(file, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 560 \d+"/);
  assert.match(file, /prefers-color-scheme:dark/);
  assert.doesNotMatch(file.replace('http://www.w3.org/2000/svg', ''), /https?:|url\(/);
});

test('values that are equal but for rounding have one tick', () => {
  assert.ok(linearAxis(99.999_999_999_999, 100.000_000_000_001).ticks.length <= 1);
  assert.deepEqual(linearAxis(7, 7).ticks, [7]);
  assert.deepEqual(linearAxis(0, 0).ticks, [0]);
});
