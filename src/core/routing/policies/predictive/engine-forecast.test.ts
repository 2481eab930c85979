import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReportedLoad } from '../../contract.ts';
import { type Attempt, EngineForecast, prefillWork } from './engine-forecast.ts';
import { ForecastTable } from './forecast-row.ts';
import { speedPrior } from './prefill-speed.ts';

/** Of an engine that computes a short and a long prompt in each step, the long one from another router. */
function learnedSeconds(updateSeconds: number): number {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  const stepSeconds = 0.4;
  for (let step = 0; step < 50; step++) {
    const sentSeconds = step * stepSeconds;
    const attempts = [false, true].map((isFromPeer): Attempt => {
      const promptTokens = isFromPeer ? 6000 : 500;
      const work = prefillWork(promptTokens, 0);
      return {
        ...{ promptTokens, cachedTokens: 0, work, sentSeconds, isFromPeer, queued: undefined },
        ...{ prefixHash: undefined, prefixTokens: 0 },
      };
    });
    for (const attempt of attempts) forecast.sent(attempt, sentSeconds, true, 1);
    for (const attempt of attempts) {
      const now = sentSeconds + stepSeconds + (attempt.isFromPeer ? updateSeconds : 0);
      forecast.firstByte(attempt, now - sentSeconds, now, speedPrior);
      forecast.finished(attempt, true, now);
    }
  }
  return forecast.row.secondsFor(prefillWork(6000, 0));
}

test('updates that arrive a few event-loop turns late give the same speed as immediate ones', () => {
  const atOnce = learnedSeconds(0);
  for (const updateSeconds of [0.001, 0.006, 0.02, 0.05]) {
    const late = learnedSeconds(updateSeconds);
    assert.ok(Math.abs(late / atOnce - 1) < 0.05, `${late} s late, ${atOnce} s at once`);
  }
});

const readSeconds = 45e-9;
const attemptOf = (promptTokens: number, cachedTokens = 0): Attempt => ({
  ...{ promptTokens, cachedTokens, sentSeconds: 0, isFromPeer: false, queued: undefined },
  work: prefillWork(promptTokens - cachedTokens, cachedTokens),
  ...{ prefixHash: undefined, prefixTokens: 0 },
});
const near = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) <= 1e-9 * Math.abs(expected), `${actual}, not ${expected}`);

test('prefill work grows with the context that its tokens attend to', () => {
  assert.equal(prefillWork(3000, 0), 3000 * 1.05);
  assert.equal(prefillWork(3000, 6000), 3000 * 1.25);
  assert.equal(prefillWork(0, 6000), 0);
});

test('a step reads the contexts of our requests, and our mean context for each request of others', () => {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  const read = () => forecast.row.interferenceSeconds(0);
  const others = { atSeconds: 0, running: 4, waiting: 0, kvUsage: 0 };
  forecast.reported(others, 0);
  assert.equal(read(), 0, 'requests of others alone give no estimate');
  const [first, second] = [attemptOf(3000), attemptOf(6200)];
  forecast.sent(first, 0, true, 1);
  forecast.reported({ ...others, running: 5 }, 0);
  near(read(), readSeconds * (3000 + 4 * 3000));
  forecast.sent(second, 0, true, 1);
  // The mean moves by a 32nd.
  near(read(), readSeconds * (9200 + 4 * 3100));
  forecast.finished(first, true, 1);
  near(read(), readSeconds * (6200 + 4 * 3100));
  assert.equal(forecast.inflight, 1);
});

test('a prefill delays whatever is in flight: what waits ahead of it decodes by then', () => {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  const delay = () => forecast.row.decodeDelaySeconds(1, 0, 0);
  assert.equal(delay(), 0);
  const [first, second] = [attemptOf(1000), attemptOf(1000)];
  forecast.sent(first, 0, true, 1);
  forecast.sent(second, 0, true, 1);
  assert.equal(forecast.row.queuedRequests, 2);
  assert.equal(delay(), 2);
  forecast.firstByte(first, 0.2, 0.2, speedPrior);
  assert.equal(forecast.row.queuedRequests, 1);
  assert.equal(delay(), 2);
  // Seven run there, six of them of other routers.
  forecast.reported({ atSeconds: 0.2, running: 7, waiting: 0, kvUsage: 0 }, 0.2);
  assert.equal(delay(), 7);
});

test('a queued request of another router adds the mean prefill time of our prompts', () => {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  const attempt = attemptOf(1000);
  forecast.sent(attempt, 0, true, 1);
  const seconds = 0.03 + 1e-4 * attempt.work;
  near(forecast.waitSeconds(0), seconds);
  // One runs and one waits; one of them is ours.
  forecast.reported({ atSeconds: 0, running: 1, waiting: 1, kvUsage: 0 }, 0);
  near(forecast.waitSeconds(0), 2 * seconds);
  near(forecast.row.waitSeconds(0) ?? 0, 2 * seconds);
});

test('only uncached tokens take space in the KV cache', () => {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  const report = {
    atSeconds: 0,
    running: 0,
    waiting: 0,
    kvUsage: 0.5,
    blocksTotal: 1000,
    blockTokens: 100,
  };
  assert.equal(forecast.row.hasRoom(1e9), false, 'nothing is reported yet');
  forecast.reported(report, 0);
  assert.equal(forecast.row.hasRoom(47_998), true);
  forecast.sent(attemptOf(30_000, 20_000), 0, true, 1);
  assert.equal(forecast.row.hasRoom(37_998), true);
  assert.equal(forecast.row.hasRoom(38_000), false);
  // It is in prefill, so that the engine's usage lacks it.
  forecast.reported(report, 0);
  assert.equal(forecast.row.hasRoom(38_000), false);
});

test('a cached prefix takes space while requests use it, once for all of them', () => {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  const report = { running: 1, waiting: 0, kvUsage: 0.5, blocksTotal: 1000, blockTokens: 100 };
  forecast.reported({ atSeconds: 0, ...report }, 0);
  const turn = { ...attemptOf(10_100, 10_000), prefixHash: 1, prefixTokens: 10_000 };
  const turns = [turn, { ...turn }, { ...turn, prefixHash: 2 }];
  const spare = () => Math.round(forecast.row.spareTokens);
  assert.equal(spare(), 47_999);
  const left = turns.map((attempt) => {
    forecast.sent(attempt, 0, true, 1);
    return spare();
  });
  assert.deepEqual(left, [37_899, 37_799, 27_699]);
  forecast.finished(turns[0] as Attempt, false, 0);
  assert.equal(spare(), 27_799, 'another request uses its prefix');
  forecast.finished(turns[1] as Attempt, false, 0);
  assert.equal(spare(), 37_899);
});

/** Turns that fail, so that they leave nothing behind: only the share of cached tokens grows. */
function askAgain(forecast: EngineForecast, turn: Attempt, count: number): void {
  for (let i = 0; i < count; i++) {
    forecast.sent(turn, 0, true, 1);
    forecast.finished(turn, false, 0);
  }
}

test('a completed prompt is not spare until it is asked for again, in the measure in which prompts return', () => {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  const report = { running: 1, waiting: 0, kvUsage: 0.5, blocksTotal: 1000, blockTokens: 100 };
  forecast.reported({ atSeconds: 0, ...report }, 0);
  const spare = () => Math.round(forecast.row.spareTokens);
  const first = attemptOf(10_000);
  forecast.sent(first, 0, true, 1);
  forecast.finished(first, true, 0);
  assert.equal(spare(), 47_999, 'no prompt has returned so far');
  const turn = { ...attemptOf(10_100, 10_000), prefixHash: 1, prefixTokens: 10_000 };
  forecast.sent(turn, 0, true, 1);
  forecast.finished(turn, true, 0);
  assert.equal(spare(), 47_999, 'a sixteenth of the prompt tokens was cached, less than a fifth');
  askAgain(forecast, turn, 12);
  forecast.sent(turn, 0, true, 1);
  forecast.finished(turn, true, 0);
  assert.equal(spare(), 47_999 - 10_100, 'more than half was cached: all is expected back');
  forecast.sent(turn, 0, true, 1);
  assert.equal(spare(), 47_999 - 10_100 - 100, 'its prefix is in use, and idle no longer');
});

test('what a tier below HBM gives back is not lost: idle prefixes count less, by its share of what was found', () => {
  const idleAfter = (tier: Partial<ReportedLoad>) => {
    const forecast = new EngineForecast(speedPrior, new ForecastTable());
    const report = { running: 1, waiting: 0, kvUsage: 0.5, blocksTotal: 1000, blockTokens: 100 };
    forecast.reported({ atSeconds: 0, ...report, ...tier }, 0);
    const turn = { ...attemptOf(10_100, 10_000), prefixHash: 1, prefixTokens: 10_000 };
    askAgain(forecast, turn, 12);
    forecast.sent(turn, 0, true, 1);
    forecast.finished(turn, true, 0);
    return 47_999 - Math.round(forecast.row.spareTokens);
  };
  const idle = idleAfter({});
  assert.equal(idle, 10_100);
  assert.equal(idleAfter({ prefixCacheHits: 9000, lowerTierQueries: 0, lowerTierHits: 0 }), idle);
  // A tier that was asked, and had nothing yet: HBM has lost nothing.
  assert.equal(idleAfter({ prefixCacheHits: 9000, lowerTierQueries: 4000, lowerTierHits: 0 }), 0);
  const half = { prefixCacheHits: 9000, lowerTierQueries: 20_000, lowerTierHits: 9000 };
  assert.equal(idleAfter(half), idle / 2);
});

test('a request past its prefill is part of the usage that an engine reports', () => {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  const size = { blocksTotal: 1000, blockTokens: 100 };
  const report = { atSeconds: 0, running: 1, waiting: 0, kvUsage: 0.5, ...size };
  const attempt = attemptOf(10_000);
  forecast.sent(attempt, 0, true, 1);
  forecast.firstByte(attempt, 1, 1, speedPrior);
  assert.equal(forecast.row.hasRoom(47_998), false);
  forecast.reported(report, 1);
  assert.equal(forecast.row.hasRoom(47_998), true);
});

/** A first byte that came so many seconds after the attempt was sent, at second 0 or later. */
function firstByteOf(forecast: EngineForecast, attempt: Attempt, now: number) {
  return forecast.firstByte(attempt, now - attempt.sentSeconds, now, speedPrior);
}

/** Attempts of 1,000, 2,000, … tokens, sent a second before second 0. */
function sentAttempts(forecast: EngineForecast, count: number, isFromPeer = false): Attempt[] {
  const attempts = Array.from({ length: count }, (_, i) => ({
    ...attemptOf(1000 * (i + 1)),
    ...{ sentSeconds: -1, isFromPeer, queued: undefined },
  }));
  for (const attempt of attempts) forecast.sent(attempt, -1, true, 1);
  return attempts;
}

test('first bytes less than 5 ms apart count as one step', () => {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  const [a, b, c, d] = sentAttempts(forecast, 4) as [Attempt, Attempt, Attempt, Attempt];
  assert.equal(firstByteOf(forecast, a, 0), undefined);
  assert.equal(firstByteOf(forecast, b, 0.004), undefined);
  assert.deepEqual(firstByteOf(forecast, c, 0.5), { work: a.work + b.work, seconds: 1.004 });
  assert.deepEqual(firstByteOf(forecast, d, 2), { work: c.work, seconds: 0.496 });
});

test('a first byte starts a new step 5 ms after the last one, or 55 ms if a peer router reports it', () => {
  for (const [isFromPeer, seconds] of [
    [false, 0.005],
    [true, 0.055],
  ] as const) {
    const forecast = new EngineForecast(speedPrior, new ForecastTable());
    const [a, b] = sentAttempts(forecast, 2, isFromPeer) as [Attempt, Attempt];
    firstByteOf(forecast, a, 0);
    assert.deepEqual(firstByteOf(forecast, b, seconds), { work: a.work, seconds: 1 });
  }
});

test('learns the speed of an engine that takes twice as long per step', () => {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  const secondsFor = (attempt: Attempt) => 2 * (0.03 + 1e-4 * attempt.work);
  let now = 0;
  for (let i = 0; i < 200; i++) {
    const attempt = { ...attemptOf(1000 * (1 + (i % 9))), sentSeconds: now };
    forecast.sent(attempt, now, true, 1);
    now += secondsFor(attempt);
    firstByteOf(forecast, attempt, now);
    forecast.finished(attempt, true, now);
  }
  const attempt = attemptOf(5000);
  const learned = forecast.row.secondsFor(attempt.work);
  assert.ok(Math.abs(learned / secondsFor(attempt) - 1) < 0.1, `${learned} s`);
});

test('steps are not learned from while other routers have prefill queued', () => {
  const [one, none] = [
    { running: 2, waiting: 3 },
    { running: 0, waiting: 0 },
  ];
  for (const secondAt of [0.5, 0.004]) {
    const forecast = new EngineForecast(speedPrior, new ForecastTable());
    const [a, b, c, d] = sentAttempts(forecast, 4) as [Attempt, Attempt, Attempt, Attempt];
    firstByteOf(forecast, a, 0);
    // Three wait and one is in prefill; three of them are ours.
    forecast.reported({ atSeconds: 0, ...one, kvUsage: 0 }, 0);
    const before = secondAt > 0.005 ? { work: a.work, seconds: 1 } : undefined;
    assert.deepEqual(firstByteOf(forecast, b, secondAt), before);
    forecast.reported({ atSeconds: 0.6, ...none, kvUsage: 0 }, 0.6);
    assert.equal(firstByteOf(forecast, c, 1), undefined);
    assert.deepEqual(firstByteOf(forecast, d, 2), { work: c.work, seconds: 1 - secondAt });
  }
});

test('learned speed does not fade while other routers keep an engine busy', () => {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  const attempts = sentAttempts(forecast, 24);
  // As many that agree have the engine count as slower than others.
  attempts.slice(0, 22).forEach((attempt, i) => {
    firstByteOf(forecast, attempt, (i + 1) / 50 - 1);
  });
  forecast.reported({ atSeconds: 1, running: 40, waiting: 3, kvUsage: 0 }, 1);
  firstByteOf(forecast, attempts[22] as Attempt, 1);
  const learned = forecast.row.secondsFor(1000);
  assert.notEqual(learned, speedPrior.overheadSeconds + 1000 * speedPrior.secondsPerToken);
  forecast.reported({ atSeconds: 1000, running: 40, waiting: 2, kvUsage: 0 }, 1000);
  firstByteOf(forecast, attempts[23] as Attempt, 1000);
  forecast.row.age(1030, speedPrior);
  assert.equal(forecast.row.secondsFor(1000), learned);
  forecast.row.age(1038, speedPrior);
  assert.notEqual(forecast.row.secondsFor(1000), learned);
});

test('between reports other routers are assumed to send in proportion to this one', () => {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  const attempt = attemptOf(1000);
  forecast.sent(attempt, 0, true, 3);
  near(forecast.waitSeconds(0), 3 * (0.03 + 1e-4 * attempt.work));
});

test('before the first own request, each queued request of other routers costs one overhead', () => {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  forecast.reported({ atSeconds: 0, running: 1, waiting: 1, kvUsage: 0 }, 0);
  near(forecast.waitSeconds(0), 2 * 0.03);
});

test('a request without streaming leaves the queue after its predicted time', () => {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  forecast.sent(attemptOf(1000), 0, false, 1);
  assert.equal(forecast.row.queuedRequests, 1);
  assert.equal(forecast.row.waitSeconds(10), undefined);
  assert.equal(forecast.waitSeconds(10), 0);
  assert.equal(forecast.row.queuedRequests, 0);
  assert.equal(forecast.row.waitSeconds(10), 0);
});

test('memory is freed at the rate at which completed requests released theirs', () => {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  const size = { blocksTotal: 1000, blockTokens: 100 };
  for (let i = 0; i < 400; i++) {
    const attempt = { ...attemptOf(10_000), sentSeconds: 100 + 20 * i };
    forecast.sent(attempt, attempt.sentSeconds, false, 1);
    forecast.finished(attempt, true, attempt.sentSeconds + 20);
  }
  const report = { atSeconds: 9000, running: 0, waiting: 0, kvUsage: 0.98, ...size };
  // As much again as is used, each token held for 20 s.
  const wait = forecast.memorySeconds(report, 98_000, 9000);
  assert.ok(Math.abs(wait - 20) < 0.1, `${wait} s`);
});

/** An engine that was served so many prompts of 1,000 tokens, one after the other, each at the assumed speed. */
function servedOf(prompts: number) {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  const state = { now: 0 };
  /** @param seconds From its sending to its first byte. @param at When it is sent. */
  const serve = (attempt: Attempt, seconds: number, at = state.now) => {
    const sent = { ...attempt, sentSeconds: at };
    forecast.sent(sent, at, true, 1);
    state.now = at + seconds;
    firstByteOf(forecast, sent, state.now);
    forecast.finished(sent, true, state.now);
  };
  const usual = 0.03 + 1e-4 * attemptOf(1000).work;
  for (let i = 0; i < prompts; i++) serve(attemptOf(1000), usual);
  return { forecast, serve, state };
}

test('a prediction rests on eight steps, and on one at least a quarter as long', () => {
  const { work } = attemptOf(1000);
  // The last step has not ended yet.
  assert.equal(servedOf(8).forecast.hasSeen(work), false);
  const { forecast } = servedOf(9);
  assert.deepEqual([forecast.hasSeen(4 * work), forecast.hasSeen(4 * work + 1)], [true, false]);
});

test('the cached share of prompts moves by a sixteenth with each', () => {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  forecast.sent(attemptOf(1000, 500), 0, true, 1);
  assert.equal(forecast.cachedShare, 1 / 32);
  forecast.sent(attemptOf(0, 0), 0, true, 1);
  assert.equal(forecast.cachedShare, (1 / 32) * (15 / 16));
});

test('a step is a disturbance if it takes eight times the prediction for its whole prompts', () => {
  for (const [served, more, isDisturbed] of [
    [8, 1e-6, true],
    [8, -1e-6, false],
    // Too few steps to rely on the prediction.
    [7, 1, false],
  ] as const) {
    const { forecast, serve, state } = servedOf(served);
    // Half of it is cached, which makes it no shorter.
    const attempt = attemptOf(10_000, 5000);
    const expected = forecast.row.secondsFor(prefillWork(10_000, 0));
    serve(attempt, 8 * expected + more);
    // Its step ends with the first byte of the next one.
    forecast.row.age(state.now, speedPrior);
    serve(attemptOf(1000), 0.2);
    assert.equal(Number.isFinite(forecast.row.retryAtSeconds), isDisturbed, `${served}, ${more}`);
  }
});
