import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReportRateMeter } from './report-rates.ts';

function reports(
  list: readonly (readonly [atSeconds: number, out: number, queries: number, hits: number])[],
) {
  const meter = new ReportRateMeter();
  for (const [atSeconds, generationTokens, prefixCacheQueries, prefixCacheHits] of list) {
    meter.add(
      {
        ...{ promptTokens: 0, generationTokens, prefixCacheQueries, prefixCacheHits },
        lowerTierHits: prefixCacheHits / 10,
      },
      atSeconds,
    );
  }
  return meter.rates;
}

test('rates are the growth of counters over ten seconds', () => {
  const list = Array.from({ length: 31 }, (_, second) => {
    return [second, second * 50, second * 40, second * 30] as const;
  });
  assert.deepEqual(reports(list), {
    promptTokensPerSecond: 0,
    generationTokensPerSecond: 50,
    hitRate: 0.75,
    hbmHitTokensPerSecond: 30,
    lowerTierTokensPerSecond: 3,
  });
  const changed = [...list, [31, 1500, 1200, 900] as const];
  assert.equal(reports(changed)?.generationTokensPerSecond, 45);
});

test('two reports are enough, however far apart, and one is not', () => {
  assert.equal(reports([[0, 10, 0, 0]]), undefined);
  assert.equal(
    reports([
      [0, 0, 0, 0],
      [30, 60, 0, 0],
    ])?.generationTokensPerSecond,
    2,
  );
});

test('prompt tokens and generated tokens have rates of their own', () => {
  const meter = new ReportRateMeter();
  const none = { prefixCacheQueries: 0, prefixCacheHits: 0, lowerTierHits: undefined };
  meter.add({ ...none, promptTokens: 1000, generationTokens: 100 }, 1);
  meter.add({ ...none, promptTokens: 5000, generationTokens: 180 }, 5);
  assert.deepEqual(meter.rates, {
    ...{ promptTokensPerSecond: 1000, generationTokensPerSecond: 20, hitRate: null },
    ...{ hbmHitTokensPerSecond: 0, lowerTierTokensPerSecond: 0 },
  });
});

test('an engine restart does not give a negative rate', () => {
  const rates = reports([
    [1, 5000, 1000, 900],
    [2, 10, 0, 0],
  ]);
  assert.equal(rates?.generationTokensPerSecond, 10);
  assert.equal(rates?.hitRate, null);
});

test('more hits than queries are a rate of 1', () => {
  const rates = reports([
    [1, 0, 100, 100],
    [2, 0, 200, 300],
  ]);
  assert.equal(rates?.hitRate, 1);
});

test('frequent reports are bounded and keep their rate', () => {
  const list = Array.from({ length: 200 }, (_, i) => [i / 10, i * 5, 0, 0] as const);
  assert.equal(Math.round(reports(list)?.generationTokensPerSecond ?? 0), 50);
  // Sixteen reports count: of a jump before them, nothing is left.
  const jump = Array.from({ length: 17 }, (_, i) => [i / 10, i === 0 ? 0 : 1000, 0, 0] as const);
  assert.equal(reports(jump)?.generationTokensPerSecond, 0);
  assert.equal(reports(jump.slice(0, 16))?.generationTokensPerSecond, 1000 / 1.5);
});

test('a counter that an engine does not report has a rate of 0, before and after', () => {
  const meter = new ReportRateMeter();
  const counters = {
    ...{ prefixCacheQueries: 10, prefixCacheHits: 10, generationTokens: 100 },
    lowerTierHits: undefined,
  };
  meter.add({ ...counters, promptTokens: 500 }, 1);
  meter.add({ ...counters, promptTokens: undefined }, 2);
  assert.equal(meter.rates?.promptTokensPerSecond, 0);
});

test('one query is enough for a hit rate, and a meter that is cleared has no rates', () => {
  const meter = new ReportRateMeter();
  const none = { promptTokens: 0, generationTokens: 0, lowerTierHits: undefined };
  meter.add({ ...none, prefixCacheQueries: 10, prefixCacheHits: 10 }, 1);
  meter.add({ ...none, prefixCacheQueries: 11, prefixCacheHits: 11 }, 2);
  assert.equal(meter.rates?.hitRate, 1);
  meter.clear();
  assert.equal(meter.rates, undefined);
});
