import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type RequestRecord, reportOf } from '../../core/stats/index.ts';
import type { LoadOutcome } from '../benchmark/index.ts';
import {
  loadPoint,
  type RunAt,
  runRateSearch,
  runSaturation,
  runSweep,
  searchJson,
  searchTable,
  sweepJson,
  sweepTable,
} from './index.ts';

const signal = new AbortController().signal;
const limits = { ttftMs: 500, tpotMs: undefined, e2eMs: undefined };
const runSeconds = 60;
/** A response takes a second once it is served. */
const serviceSeconds = 1;

/** The outcome of a run against a server with some places, first come, first served. */
function served(arrivals: readonly number[], places: number): LoadOutcome {
  const free = Array.from({ length: places }, () => 0);
  const records = arrivals.map((at) => {
    const place = free.indexOf(Math.min(...free));
    const start = Math.max(at, free[place] as number);
    free[place] = start + serviceSeconds;
    return record(at, [start + 0.1, start + serviceSeconds]);
  });
  return outcomeOf(records);
}

function record(at: number, chunkSeconds: readonly number[]): RequestRecord {
  return {
    scheduledSeconds: at,
    sentSeconds: at,
    chunkSeconds,
    promptTokens: 10,
    outputTokens: 50,
    cachedTokens: undefined,
    engine: undefined,
    error: undefined,
  };
}

function outcomeOf(records: readonly RequestRecord[], isServerGone = false): LoadOutcome {
  const durationSeconds = Math.max(
    0,
    ...records.map(({ chunkSeconds }) => chunkSeconds.at(-1) ?? 0),
  );
  return {
    report: reportOf(records, { durationSeconds, percentiles: [50, 99], limits }),
    records,
    model: { id: 'm', tokensMax: undefined },
    isPartial: isServerGone,
    isServerGone,
    requestCount: records.length,
    promptMismatches: 0,
    outputMismatches: 0,
    clientCpuSeconds: 0,
    clients: 1,
    clientDeaths: [],
  };
}

/** Even arrivals for a minute at a server with ten places, so it serves ten requests per second. */
const atRate: RunAt = async (rate) =>
  served(
    Array.from({ length: rate * runSeconds }, (_, i) => i / rate),
    10,
  );

/** Users who ask again at once. */
const fromUsers: RunAt = async (users) => {
  const places = Math.min(users, 10);
  const ends = Array.from({ length: users }, () => 0);
  const free = Array.from({ length: places }, () => 0);
  const records: RequestRecord[] = [];
  for (;;) {
    const user = ends.indexOf(Math.min(...ends));
    const at = ends[user] as number;
    if (at >= runSeconds) return outcomeOf(records);
    const place = free.indexOf(Math.min(...free));
    const start = Math.max(at, free[place] as number);
    free[place] = start + serviceSeconds;
    ends[user] = start + serviceSeconds;
    records.push(record(at, [start + 0.1, start + serviceSeconds]));
  }
};

describe('a point of a sweep', () => {
  it('has the throughput of the part of the run with all of its load', async () => {
    const point = loadPoint('concurrency', 4, await fromUsers(4, 0));
    assert.ok(Math.abs(point.throughput - 4) < 0.1, `${point.throughput}`);
    assert.ok(Math.abs(point.tokenThroughput - 200) < 5);
    assert.equal(point.latencySeconds, 1);
  });

  it('of an overloaded server falls behind, of a busy one not', async () => {
    assert.equal(loadPoint('rate', 9, await atRate(9, 0)).isBehind, false);
    assert.equal(loadPoint('rate', 10, await atRate(10, 0)).isBehind, false);
    assert.equal(loadPoint('rate', 20, await atRate(20, 0)).isBehind, true);
  });

  it('of few requests does not fall behind because they came by chance at the end', () => {
    const arrivals = [0, 10, 11, 12, 16];
    const point = loadPoint(
      'rate',
      0.3,
      outcomeOf(arrivals.map((at) => record(at, [at + 1, at + 7]))),
    );
    assert.equal(point.isBehind, false);
  });

  it('of a run shorter than its responses counts the whole run', () => {
    const point = loadPoint('rate', 5, outcomeOf([record(0, [1, 9]), record(0.2, [1, 10])]));
    assert.equal(point.throughput, 0.2);
    assert.equal(point.isBehind, false);
  });

  it('of a run without a response has no throughput', () => {
    const failed = { ...record(0, []), error: { kind: 'http_503', message: 'busy' } };
    const point = loadPoint('rate', 1, outcomeOf([failed, failed]));
    assert.deepEqual([point.throughput, point.latencySeconds], [0, Number.POSITIVE_INFINITY]);
    assert.equal(point.goodShare, 0);
  });
});

describe('a sweep', () => {
  it('finds the knee and the saturation of a closed loop', async () => {
    const shown: number[] = [];
    const outcome = await runSaturation({ usersMin: 1, usersMax: 1024 }, fromUsers, {
      signal,
      onPoint: ({ load }) => shown.push(load),
    });
    assert.deepEqual(shown, [1, 2, 4, 8, 16, 32, 64], 'until two doublings brought nothing');
    assert.equal(outcome.knee?.load, 8);
    assert.equal(outcome.enough?.load, 16);
    const text = sweepTable(outcome);
    assert.match(text, /^knee {8}8 users: 8(\.\d+)? requests\/s/m);
    assert.doesNotMatch(text, /WARNING/);
    const json = sweepJson(outcome);
    assert.equal((json['knee'] as Record<string, number>)['concurrency'], 8);
    assert.equal((json['points'] as unknown[]).length, 7);
  });

  it('of one load concludes nothing about others', async () => {
    const outcome = await runSaturation({ usersMin: 3, usersMax: 3 }, fromUsers, { signal });
    const text = sweepTable(outcome);
    assert.match(text, /^knee {8}not below 3 users, the highest load: /m);
    assert.match(text, /WARNING +there is only one load/);
    assert.doesNotMatch(text, /more waiting than throughput|still grows/);
  });

  it('ends at the highest number of users, and says that the server can take more', async () => {
    const outcome = await runSaturation({ usersMin: 1, usersMax: 3 }, fromUsers, { signal });
    assert.deepEqual(
      outcome.points.map(({ load }) => load),
      [1, 2, 3],
    );
    const text = sweepTable(outcome);
    assert.match(text, /WARNING +throughput still grows/);
    assert.match(text, /^knee {8}not below 3 users, the highest load: /m);
    assert.doesNotMatch(text, /more waiting than throughput/);
  });

  it('over rates has no knee where the server falls behind', async () => {
    const outcome = await runSweep('rate', [2, 5, 9, 20, 40], atRate, { signal });
    assert.equal(outcome.knee?.load, 9);
    assert.match(sweepTable(outcome), /^20 .*falls behind$/m);
  });

  it('keeps what it has when a signal stops it or the server goes', async () => {
    const stop = new AbortController();
    const run: RunAt = async (rate) => {
      if (rate === 2) stop.abort();
      return atRate(rate, 0);
    };
    const stopped = await runSweep('rate', [1, 2, 3], run, { signal: stop.signal });
    assert.deepEqual([stopped.points.length, stopped.isPartial], [1, true]);
    assert.match(sweepTable(stopped), /^Interrupted/);
    const gone = await runSweep('rate', [1, 2], async () => outcomeOf([], true), { signal });
    assert.deepEqual([gone.points.length, gone.isPartial, gone.knee], [0, true, undefined]);
    assert.match(sweepTable(gone), /there is no knee/);
  });
});

describe('a search within a service level', () => {
  const options = {
    start: 1,
    share: 0.9,
    precision: 0.05,
    runsMax: 3,
    rateMin: 0.01,
    rateMax: 1000,
  };

  it('finds what a server carries', async () => {
    const numbers: number[] = [];
    const outcome = await runRateSearch(
      options,
      async (rate, number) => {
        numbers.push(number);
        const count = Math.round(rate * runSeconds);
        return served(
          Array.from({ length: count }, (_, i) => i / rate),
          10,
        );
      },
      { signal },
    );
    const { holds, fails } = outcome;
    assert.ok(holds !== undefined && holds.rate > 9.4 && holds.rate < 10.3, `${holds?.rate}`);
    assert.ok(fails !== undefined && fails.rate / holds.rate <= 1.05);
    assert.deepEqual(numbers, [...numbers.keys()], 'each run has a number of its own');
    assert.match(
      searchTable(outcome, limits, 0.9),
      /highest rate that holds TTFT <= 500 ms for 90\.0 %/,
    );
    assert.equal(searchJson(outcome, limits, 0.9)['max_rate'], holds.rate);
  });

  it('ends at once where a server fails alone, or responds to nothing', async () => {
    for (const records of [
      [record(0, [0.6, 0.7]), record(10, [10.6, 10.7])],
      [{ ...record(0, []), error: { kind: 'http_503', message: 'busy' } }],
    ]) {
      let runs = 0;
      const run = async () => {
        runs++;
        return outcomeOf(Array.from({ length: 20 }, () => records).flat());
      };
      const outcome = await runRateSearch({ ...options, start: 0.1 }, run, { signal });
      assert.deepEqual([runs, outcome.holds], [1, undefined]);
    }
  });

  it('fails a rate at which the server falls behind, though all are still in time', async () => {
    // Both chunks come late, but the limit is an hour.
    const outcome = await runRateSearch(
      { ...options, start: 20, rateMin: 20 },
      async (rate) => {
        const { records } = await atRate(rate, 0);
        const all = outcomeOf(records);
        return { ...all, report: { ...all.report, good: records.length } };
      },
      { signal },
    );
    assert.equal(outcome.holds, undefined);
    assert.equal(outcome.fails?.rate, 20);
    const text = searchTable(outcome, limits, 0.9);
    assert.match(text, /^No rate holds/m);
    assert.match(text, /^fails {7}20 requests\/s: the server falls behind/m);
  });
});
