// What scalers decide from made readings, one every 15 s.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type FleetReading,
  horizontalPodAutoscaler,
  type Scaler,
  ServiceLevelScaler,
  type ServiceLevelScalerOptions,
} from './index.ts';

const bounds = { min: 1, max: 10 };
const calm: FleetReading = {
  ...{ nowSeconds: 0, ready: 2, starting: 0, arrived: 0, prefilled: 0, prefillSeconds: 0 },
  ...{ waiting: 0, running: 0, kvUsage: 0, held: 0, ttftSeconds: undefined },
};

/** Looks until a time; engines serve at once. @returns The decisions. */
function looks(
  scaler: Scaler,
  until: number,
  reading: (atSeconds: number, ready: number) => Partial<FleetReading>,
  from = 0,
  ready = 2,
): number[] {
  const decisions: number[] = [];
  let engines = ready;
  for (let nowSeconds = from; nowSeconds <= until; nowSeconds += 15) {
    const given = { ready: engines, ...reading(nowSeconds, engines) };
    engines = scaler.decide({ ...calm, ...given, nowSeconds });
    decisions.push(engines);
  }
  return decisions;
}

/** So many requests per second since the beginning, each with so much work. */
const traffic = (atSeconds: number, perSecond: number, work = 0.5) => ({
  arrived: perSecond * atSeconds,
  prefilled: perSecond * atSeconds,
  prefillSeconds: perSecond * atSeconds * work,
  running: 1,
});

const builtIn = (options: Partial<ServiceLevelScalerOptions> = {}) =>
  new ServiceLevelScaler({ bounds, ttftSeconds: 5, startupSeconds: 120, ...options });

const hpa = (target: number) =>
  horizontalPodAutoscaler({ bounds, metrics: [{ value: (of) => of.waiting, target }] });

test('the HPA’s rule: total by target, rounded up, within the bounds', () => {
  assert.equal(hpa(5).decide({ ...calm, waiting: 16 }), 4);
  assert.equal(hpa(5).decide({ ...calm, ready: 8, waiting: 500 }), 10);
  assert.equal(hpa(5).decide({ ...calm, waiting: 0 }), 1);
});

test('the HPA’s rule does nothing within 10 % of its target', () => {
  assert.equal(hpa(10).decide({ ...calm, waiting: 21 }), 2);
  assert.equal(hpa(10).decide({ ...calm, waiting: 23 }), 3);
});

test('the HPA’s rule adds at most four engines, or as many as there are', () => {
  const wide = horizontalPodAutoscaler({
    bounds: { min: 1, max: 100 },
    metrics: [{ value: (of) => of.waiting, target: 1 }],
  });
  assert.equal(wide.decide({ ...calm, ready: 1, waiting: 90 }), 5);
  assert.equal(wide.decide({ ...calm, nowSeconds: 15, ready: 20, waiting: 90 }), 40);
});

test('the HPA’s rule removes engines when fewer have been enough for 300 s', () => {
  const decisions = looks(hpa(5), 330, (at) => ({ waiting: at === 0 ? 20 : 0 }));
  assert.deepEqual([decisions[0], decisions[19], decisions[20]], [4, 4, 1]);
});

test('the built-in scaler has as many engines as the arrivals need, and no more', () => {
  // 8 requests/s with half a second of work are 4 engines of work; the queue needs one more.
  const decisions = looks(builtIn(), 900, (at) => traffic(at, 8));
  assert.deepEqual(new Set(decisions.slice(20)), new Set([5]));
});

test('the built-in scaler starts engines for the rate that is expected when they serve', () => {
  const slow = looks(builtIn({ startupSeconds: 10 }), 300, (at) => ({
    ...traffic(at, 0),
    ...{ arrived: (at * at) / 100, prefilled: at, prefillSeconds: at / 2 },
  }));
  const early = looks(builtIn({ startupSeconds: 200 }), 300, (at) => ({
    ...traffic(at, 0),
    ...{ arrived: (at * at) / 100, prefilled: at, prefillSeconds: at / 2 },
  }));
  const last = (decisions: readonly number[]) => decisions.at(-1) as number;
  assert.ok(last(early) >= last(slow) + 2, `${last(early)} and ${last(slow)}`);
});

test('the built-in scaler removes engines when fewer have been enough for two start-ups', () => {
  const scaler = builtIn({ startupSeconds: 150 });
  const busy = looks(scaler, 600, (at) => traffic(at, 8));
  const before = busy.at(-1) as number;
  const then = traffic(600, 8);
  const quiet = looks(
    scaler,
    1500,
    (at) => ({
      ...then,
      arrived: then.arrived + at - 600,
      prefilled: then.prefilled + at - 600,
      prefillSeconds: then.prefillSeconds + (at - 600) / 2,
    }),
    615,
    before,
  );
  // The rate of the last minute falls with the first looks; the window is 300 s.
  assert.ok(
    quiet.slice(0, 19).every((engines) => engines === before),
    String(quiet),
  );
  assert.ok((quiet.at(-1) as number) <= 2, String(quiet));
});

test('a KV cache that is nearly full needs engines, although no prompt waits', () => {
  const decisions = looks(builtIn(), 300, (at, ready) => ({
    ...traffic(at, 1),
    kvUsage: 3.4 / ready,
  }));
  assert.equal(decisions.at(-1), 4);
});

test('a TTFT beyond the service level for a minute adds an engine, whatever the model says; a single late look none', () => {
  const late = looks(builtIn(), 60, (at) => ({ ...traffic(at, 1), ttftSeconds: 6 }));
  assert.deepEqual(late, [2, 2, 2, 3, 4]);
  const once = looks(builtIn(), 60, (at) => ({
    ...traffic(at, 1),
    ttftSeconds: at === 30 ? 60 : 1,
  }));
  assert.ok(once.every((engines) => engines <= 2));
});

test('requests that wait already are extra work', () => {
  const queue = looks(builtIn(), 60, (at) => ({ ...traffic(at, 1), waiting: 900 }));
  assert.ok((queue.at(-1) as number) >= 5, String(queue));
});

test('without requests the last engine goes, and the first one that is held starts it again', () => {
  const scaler = builtIn({ bounds: { min: 0, max: 10 }, idleSeconds: 60 });
  const idle = looks(scaler, 90, () => ({}));
  assert.deepEqual(idle, [2, 2, 2, 2, 0, 0, 0]);
  assert.ok(scaler.decide({ ...calm, nowSeconds: 105, ready: 0, held: 1, arrived: 1 }) >= 1);
});

test('one engine stays where at least one is wanted', () => {
  assert.equal(looks(builtIn({ idleSeconds: 60 }), 900, () => ({})).at(-1), 1);
});
