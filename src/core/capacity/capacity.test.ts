import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '../base/index.ts';
import { kneeOf, kneeWithin, RateSearch, steadyFrom, trendOf, wilson } from './index.ts';

const options = { share: 0.9, precision: 0.05, runsMax: 3, rateMin: 0.01, rateMax: 10_000 };

describe('a share', () => {
  it('has the published interval of Wilson', () => {
    // Brown, Cai, DasGupta (2001): 10 of 10 and 1 of 20.
    assert.deepEqual(rounded(wilson(10, 10)), { share: 1, low: 0.722, high: 1 });
    assert.deepEqual(rounded(wilson(1, 20)), { share: 0.05, low: 0.009, high: 0.236 });
    assert.throws(() => wilson(0, 0), RangeError);
  });
});

describe('the knee', () => {
  it('of a queue with one server is at half of its capacity', () => {
    // M/M/1 at 10 requests/s: the mean time in it is 1 / (10 - rate), so power is rate · (10 - rate).
    const points = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((rate) => ({
      load: rate,
      throughput: rate,
      latencySeconds: 1 / (10 - rate),
    }));
    assert.equal(kneeOf(points)?.load, 5);
  });

  it('of a closed loop is where its throughput stops growing', () => {
    // Ten servers of a second each: beyond ten users, the others wait.
    const points = [1, 2, 4, 8, 10, 16, 32].map((users) => ({
      load: users,
      throughput: Math.min(users, 10),
      latencySeconds: Math.max(1, users / 10),
    }));
    assert.equal(kneeOf(points)?.load, 10);
    assert.equal(kneeWithin(points, 0.05)?.load, 10);
    assert.equal(kneeWithin(points, 0.2)?.load, 8);
  });

  it('is none where nothing was completed', () => {
    const dead = { load: 1, throughput: 0, latencySeconds: 1 };
    assert.equal(kneeOf([dead]), undefined);
    assert.equal(kneeWithin([dead], 0.05), undefined);
    assert.equal(kneeOf([]), undefined);
  });
});

describe('the search for a rate', () => {
  /** A server that keeps the service level up to a rate, and ever less often above it. */
  const server = (limit: number, seed: number) => {
    const random = seededRandom(seed);
    return (rate: number, total = 200) => {
      const chance = rate <= limit ? 0.97 : Math.max(0, 0.97 - 2 * (rate / limit - 1));
      let good = 0;
      for (let i = 0; i < total; i++) if (random.next() < chance) good++;
      return { good, total };
    };
  };

  it('finds the limit of servers, wherever it begins', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const limit = 0.1 * 1.3 ** seed;
      const measure = server(limit, seed);
      const search = new RateSearch({ ...options, start: 1, rateMax: 100_000 });
      let runs = 0;
      while (search.nextRate !== undefined && runs < 100) {
        search.add(measure(search.nextRate));
        runs++;
      }
      const { holds, fails } = search.result;
      assert.ok(holds !== undefined && fails !== undefined, `seed ${seed}`);
      // At 1.035 times the limit, exactly 90 % of the responses keep the level.
      assert.ok(
        holds.rate > 0.9 * limit && holds.rate < 1.15 * limit,
        `seed ${seed}: ${holds.rate} of ${limit}`,
      );
      assert.ok(fails.rate / holds.rate <= 1.05 + 1e-9);
      assert.ok(runs <= 45, `seed ${seed}: ${runs} runs`);
    }
  });

  it('runs an unclear rate again, with all its requests so far', () => {
    const search = new RateSearch({ ...options, start: 8 });
    assert.equal(search.add({ good: 9, total: 10 }), 'unclear');
    assert.equal(search.nextRate, 8);
    assert.equal(search.add({ good: 10, total: 10 }), 'unclear');
    // 27 of 30 is the goal: the measured share decides after three runs.
    assert.equal(search.add({ good: 8, total: 10 }), 'holds');
    assert.equal(search.nextRate, 16);
    assert.deepEqual(search.probes, [{ rate: 8, good: 27, total: 30, runs: 3 }]);
  });

  it('ends at its lowest and highest rates', () => {
    const idle = new RateSearch({ ...options, start: 6_000 });
    while (idle.nextRate !== undefined) idle.add({ good: 1_000, total: 1_000 });
    assert.equal(idle.result.holds?.rate, 10_000);
    assert.equal(idle.result.fails, undefined);
    const dead = new RateSearch({ ...options, start: 1 });
    while (dead.nextRate !== undefined) dead.add({ good: 0, total: 0 });
    assert.equal(dead.result.holds, undefined);
    assert.ok((dead.result.fails?.rate ?? 1) < 0.02);
    assert.throws(() => dead.add({ good: 1, total: 1 }), RangeError);
  });
});

describe('a steady state', () => {
  const noise = (seed: number, count: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: count }, () => 0.8 + 0.4 * random.next());
  };

  it('begins after the warm-up', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const values = noise(seed, 300).map((value, i) => value + 5 * Math.exp(-i / 12));
      const first = steadyFrom(values);
      assert.ok(first !== undefined && first >= 25 && first <= 110, `seed ${seed}: ${first}`);
    }
  });

  it('is all of a run without one', () => {
    const firsts = Array.from({ length: 20 }, (_, seed) => steadyFrom(noise(seed, 300)));
    assert.ok(
      firsts.filter((first) => first !== undefined && first <= 100).length >= 18,
      `${firsts}`,
    );
  });

  it('is none of an overloaded server, of a growing series, of a short one', () => {
    const random = seededRandom(5);
    assert.equal(
      steadyFrom(Array.from({ length: 300 }, (_, i) => i * 0.1 + random.next())),
      undefined,
    );
    assert.equal(steadyFrom(Array.from({ length: 300 }, (_, i) => 10 * 1.02 ** i)), undefined);
    assert.equal(steadyFrom(noise(1, 49)), undefined);
  });
});

describe('a trend', () => {
  it('is found where there is one, with its slope', () => {
    const random = seededRandom(3);
    const values = Array.from({ length: 60 }, (_, i) => 100 + 0.5 * i + 4 * random.next());
    const trend = trendOf(values);
    assert.ok(trend !== undefined && trend.p < 1e-6);
    assert.ok(trend.low < 0.5 && trend.high > 0.5 && trend.low > 0.4 && trend.high < 0.6);
  });

  it('is seldom found where there is none', () => {
    let found = 0;
    for (let seed = 1; seed <= 400; seed++) {
      const random = seededRandom(seed);
      const trend = trendOf(Array.from({ length: 30 }, () => random.next()));
      if ((trend?.p ?? 1) < 0.05) found++;
    }
    assert.ok(found <= 32, `${found} of 400`);
  });

  it('of equal values is none; of three values, nobody knows', () => {
    assert.deepEqual(trendOf([2, 2, 2, 2, 2]), { slope: 0, low: 0, high: 0, p: 1 });
    assert.equal(trendOf([1, 2, 3]), undefined);
  });

  it('has the published p of Mann and Kendall', () => {
    // Ten rising values: S = 45, Var = 125, z = 44 / √125 = 3.9355.
    const trend = trendOf([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.ok(Math.abs((trend?.p ?? 0) - 8.3e-5) < 1e-6, `${trend?.p}`);
    assert.equal(trend?.slope, 1);
  });

  it('of a long series is that of every n-th value', () => {
    const trend = trendOf(Array.from({ length: 10_000 }, (_, i) => 3 * i));
    assert.equal(trend?.slope, 3);
  });
});

function rounded(share: Record<string, number> | object): object {
  return Object.fromEntries(
    Object.entries(share).map(([key, value]) => [key, Math.round(value * 1000) / 1000]),
  );
}
