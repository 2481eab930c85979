import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { intervalOf } from './gaps.ts';
import { type EngineSeries, judge } from './judge.ts';
import { sparkline } from './trend.ts';

const window = { start: 0, end: 86_400 };
const options = { window, intervalSeconds: 60, max: 0.92 };
const samples = 1440;

/** Returns one sample per minute over a day, without those for which `keep` is false. */
function series(
  name: string,
  valueAt: (index: number) => number,
  keep: (index: number) => boolean = () => true,
): EngineSeries {
  const kept = Array.from({ length: samples }, (_, index) => index).filter(keep);
  return {
    name,
    times: kept.map((index) => (index + 1) * 60),
    values: kept.map(valueAt),
    restarts: 0,
  };
}

test('an engine below the limit passes, with its P99 between its mean and its maximum', () => {
  const { verdict, engines } = judge([series('a', (index) => 0.5 + (index % 10) / 100)], options);
  assert.equal(verdict, 'pass');
  assert.equal(engines[0]?.coverage, 1);
  assert.ok(Math.abs((engines[0]?.p99 ?? 0) - 0.59) < 1e-9);
  assert.deepEqual(engines[0]?.gaps, []);
});

test('an engine over the limit for 2 % of the day fails, for half a percent it passes', () => {
  const hotFor = (share: number) =>
    judge([series('a', (index) => (index < samples * share ? 0.99 : 0.4))], options).verdict;
  assert.equal(hotFor(0.02), 'fail');
  assert.equal(hotFor(0.005), 'pass');
});

test('a P99 of exactly the limit passes', () => {
  assert.equal(judge([series('a', () => 0.92)], options).verdict, 'pass');
  assert.equal(judge([series('a', () => 0.9201)], options).verdict, 'fail');
});

test('a P99 just over the limit is printed with as many digits as it needs', () => {
  assert.match(judge([series('a', () => 0.9201)], options).because, /over 92 %: a \(92\.01 %\)/);
});

test('samples that are not numbers count as missing', () => {
  const broken = (every: number) =>
    judge([series('a', (index) => (index % every === 0 ? Number.NaN : 0.4))], options);
  const [all, third, few] = [broken(1), broken(3), broken(20)];
  assert.deepEqual([all.verdict, third.verdict, few.verdict], ['unknown', 'unknown', 'pass']);
  assert.deepEqual(
    [all.engines[0]?.p99, all.engines[0]?.coverage, all.fleetP99],
    [undefined, 0, undefined],
  );
  assert.equal(all.engines[0]?.gaps.length, 1);
  assert.deepEqual([few.engines[0]?.p99, few.engines[0]?.highest, few.fleetP99], [0.4, 0.4, 0.4]);
  assert.match(third.because, /fewer than 90 % of the expected samples: a \(66\.7 %\)/);
});

test('one engine over the limit fails a fleet whose own P99 is below it', () => {
  const cool = Array.from({ length: 200 }, (_, index) => series(`cool-${index}`, () => 0.3));
  const { verdict, fleetP99, because } = judge([...cool, series('hot', () => 0.97)], options);
  assert.equal(verdict, 'fail');
  assert.equal(fleetP99, 0.3);
  assert.match(because, /1 of 201 engines over 92 %: hot \(97 %\)/);
});

test('fewer than 90 % of the samples give no verdict, and the gap is named', () => {
  const { verdict, engines, because } = judge(
    [
      series(
        'a',
        () => 0.95,
        (index) => index < 600 || index >= 800,
      ),
    ],
    options,
  );
  assert.equal(verdict, 'unknown');
  assert.deepEqual(engines[0]?.gaps, [{ fromSeconds: 600 * 60, toSeconds: 801 * 60 }]);
  assert.match(because, /a \(86\.1 %\); the existing samples of a \(95 %\) are over 92 %/);
});

test('exactly 90 % of the samples are enough', () => {
  assert.equal(
    judge(
      [
        series(
          'a',
          () => 0.3,
          (i) => i < 1296,
        ),
      ],
      options,
    ).verdict,
    'pass',
  );
  assert.equal(
    judge(
      [
        series(
          'a',
          () => 0.3,
          (i) => i < 1295,
        ),
      ],
      options,
    ).verdict,
    'unknown',
  );
});

test('no engine gives no verdict', () => {
  assert.equal(judge([], options).verdict, 'unknown');
});

test('a failing engine with all its samples decides, even if others lack samples', () => {
  const { verdict } = judge(
    [
      series('hot', () => 0.99),
      series(
        'gone',
        () => 0.1,
        (i) => i < 10,
      ),
    ],
    options,
  );
  assert.equal(verdict, 'fail');
});

test('the scrape interval is the median distance, whatever the gaps', () => {
  assert.equal(
    intervalOf([
      [0, 15, 30, 400, 415],
      [7, 22, 37],
    ]),
    15,
  );
  assert.equal(intervalOf([[5]]), undefined);
});

test('the sparkline shows the maximum of each step, and a space for a step without samples', () => {
  const trend = [0.05, 0.5, undefined, 1].map((highest, atSeconds) => ({
    atSeconds,
    mean: highest,
    highest,
  }));
  assert.equal(sparkline(trend), '▁▅ █');
});

test('raising the utilization of one engine never turns a fail into a pass', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 20, maxLength: 60 }),
      fc.double({ min: 0, max: 0.5, noNaN: true }),
      (values, more) => {
        const at = (raise: number): EngineSeries => ({
          name: 'a',
          times: values.map((_, index) => index + 1),
          values: values.map((value) => Math.min(1, value + raise)),
          restarts: 0,
        });
        const small = { window: { start: 0, end: values.length }, intervalSeconds: 1, max: 0.6 };
        if (judge([at(0)], small).verdict === 'fail') {
          assert.equal(judge([at(more)], small).verdict, 'fail');
        }
      },
    ),
  );
});
