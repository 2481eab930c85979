// The terms of the scores that need a full fleet, an engine on trial, or one that gets no picks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../../base/index.ts';
import type { Endpoint } from '../../contract.ts';
import { type EngineForecast, prefillWork } from './engine-forecast.ts';
import { ForecastRow, ForecastTable, type NotedLoad } from './forecast-row.ts';
import { PickScores } from './pick-scores.ts';
import { PrefillSpeed, speedPrior } from './prefill-speed.ts';

interface Engine extends Partial<NotedLoad> {
  readonly cachedShare?: number;
  readonly doubt?: number;
  /** Wait for memory. */
  readonly memorySeconds?: number;
}

const idle: NotedLoad = {
  ...{ freeAtSeconds: 0, countsDownUntilSeconds: Number.POSITIVE_INFINITY },
  ...{ foreignFreeAtSeconds: 0, foreignKnownUntilSeconds: Number.POSITIVE_INFINITY },
  ...{ queued: 0, inflight: 0, contextReadSeconds: 0 },
  ...{ roomTokens: Number.POSITIVE_INFINITY, spareTokens: Number.POSITIVE_INFINITY },
};

/** Scores without weights, so that only the wait and what follows from a shortage of memory count. */
function fleetOf(...engines: Engine[]) {
  const table = new ForecastTable();
  const weights = { crowding: 0, decode: 0, placement: 0 };
  const scoring = new PickScores(seededRandom(1), weights, table);
  const tried: number[] = [];
  const rows = engines.map(({ doubt = 0, ...load }) => {
    const row = new ForecastRow(table, table.add());
    // As it begins, so that the row has its speed.
    new PrefillSpeed(speedPrior, row).hold(0);
    row.note({ ...idle, ...load });
    row.doubt = doubt;
    row.retryAtSeconds = Number.POSITIVE_INFINITY;
    return row;
  });
  const candidates = {
    endpoints: engines.map((_, i): Endpoint => ({ url: `${i}` }) as Endpoint),
    forecasts: engines.map(({ cachedShare = 0, memorySeconds = 0 }, i) => {
      const forecast = { cachedShare, memorySeconds: () => memorySeconds };
      return { ...forecast, tryAgain: () => tried.push(i) } as unknown as EngineForecast;
    }),
    rows: Int32Array.from(rows, ({ at }) => at),
    fleet: new PrefillSpeed(),
  };
  const survey = (picks = 0, now = 0, cached: readonly number[] = []) => {
    const cachedTokens = scoring.begin(engines.length);
    for (const i of engines.keys()) cachedTokens[i] = cached[i] ?? 0;
    return scoring.survey(candidates, picks, now);
  };
  const scoresOf = (promptTokens: number, cached: readonly number[] = []) => {
    survey(0, 0, cached);
    return scoring.scores(candidates, { promptTokens, outputTokens: 256, copyUsers: 0 }, 0);
  };
  return { scoring, rows, tried, survey, scoresOf };
}

const prefill = (uncached: number, cached = 0) => 0.03 + 1e-4 * prefillWork(uncached, cached);
const near = (actual: number | undefined, expected: number) =>
  assert.ok(Math.abs((actual ?? 0) - expected) < 1e-9, `${actual} instead of ${expected}`);

test('an engine on trial that has a request waiting counts as much slower, an idle one does not', () => {
  const scores = fleetOf({ queued: 1, doubt: 1 }, { doubt: 1 }, { queued: 1 }).scoresOf(1000);
  near(scores[0], 2 * prefill(1000));
  near(scores[1], prefill(1000));
  near(scores[2], prefill(1000));
});

test('short of memory, a prefill costs sixteen times what it evicts of each request in flight', () => {
  const evicted = (spareTokens: number, cached = 0) => {
    const [score = 0] = fleetOf({ spareTokens, inflight: 2, cachedShare: 0.25 }).scoresOf(
      1000 + cached,
      [cached],
    );
    return (score - prefill(1000, cached)) / prefill(1000, cached) / (16 * 2);
  };
  // Room for three prompts like this one is enough, and for one is a whole shortage.
  near(evicted(3000), 0);
  near(evicted(2500), 0.25 / 4);
  near(evicted(2000), 0.25 / 2);
  near(evicted(2000, 500), 0.25 / 2);
  near(evicted(1000), 0.25);
  // Half of the prompt would push out others.
  near(evicted(500), 0.5);
  near(evicted(-500), 0.25);
});

test('there is no shortage while any engine has room or does not say', () => {
  const full = { spareTokens: 0, inflight: 2, cachedShare: 0.25 };
  for (const spareTokens of [3000, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const [score] = fleetOf(full, { spareTokens }, full).scoresOf(1000);
    near(score, prefill(1000));
  }
  const [score = 0] = fleetOf(full, { spareTokens: 1000 }, full).scoresOf(1000);
  assert.ok(score > 2 * prefill(1000));
});

test('the longer of the waits for prefill and for memory counts, the latter only without room', () => {
  const scores = fleetOf(
    { freeAtSeconds: 2, memorySeconds: 3, roomTokens: 1000 },
    { freeAtSeconds: 4, memorySeconds: 3, roomTokens: 1000 },
    { freeAtSeconds: 2, memorySeconds: 3, roomTokens: 5000 },
  ).scoresOf(1000);
  near(scores[0], 3 + prefill(1000));
  near(scores[1], 4 + prefill(1000));
  near(scores[2], 2 + prefill(1000));
});

test('the survey tells the most cached tokens of any engine, and none if there are none', () => {
  const { scoring, survey } = fleetOf({}, {}, {});
  assert.equal(survey(), 0);
  assert.equal(survey(0, 0, [100, 300, 200]), 300);
  assert.deepEqual(
    [0, 1, 2].map((i) => scoring.cachedTokensOf(i)),
    [100, 300, 200],
  );
});

test('an idle engine is tried again after five picks per engine and five seconds without one', () => {
  const isTried = (about: {
    picks?: number;
    now?: number;
    inflight?: number;
    retryAt?: number;
  }) => {
    const { picks = 20, now = 15, inflight = 0, retryAt = 15 } = about;
    const { rows, tried, survey } = fleetOf({ inflight }, { inflight: 1 });
    for (const row of rows) {
      row.picked(10, 10);
      row.retryAtSeconds = retryAt;
    }
    survey(picks, now);
    return tried.join() === '0';
  };
  assert.equal(isTried({}), true);
  assert.equal(isTried({ picks: 19 }), false, 'that may be chance');
  assert.equal(isTried({ now: 14.9, retryAt: 0 }), false, 'that may be a burst');
  assert.equal(isTried({ inflight: 1 }), false, 'it is being tried');
  assert.equal(isTried({ retryAt: 15.1 }), false, 'its pause is not over');
});

test('a score at the very end of the reach of the lowest is a tie', () => {
  const { scoring, rows, survey } = fleetOf({}, {});
  rows[0]?.assign(1, 0);
  survey();
  assert.deepEqual([scoring.best([0, 0.005]), scoring.best([0, 0.006])], [1, 0]);
});
