// What an engine gets after it has been disturbed for some seconds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../../../test/support/routing.ts';
import { ManualClock, MinHeap, seededRandom } from '../../../base/index.ts';
import { RoutingCore } from '../../routing-core.ts';
import type { ForecastRow } from './forecast-row.ts';
import { PredictivePolicy } from './predictive.ts';
import type { PrefillSpeed } from './prefill-speed.ts';
import { SecondChance } from './second-chance.ts';

const engines = ['a', 'b', 'c', 'd'];
const promptTokens = 1000;
const tokensPerSecond = 20_000;
const [faultFromSeconds, faultSeconds] = [60, 8];

/**
 * Engine a is `slowdown` times slower between 60 s and `untilSeconds`. Returns how many requests of each 10 s it got.
 */
function sharesOfA(options: {
  readonly perSecond: number;
  readonly slowdown: number;
  readonly untilSeconds?: number;
}): number[] {
  const { perSecond, slowdown, untilSeconds = faultFromSeconds + faultSeconds } = options;
  const clock = new ManualClock();
  const core = new RoutingCore({ policy: new PredictivePolicy(seededRandom(1)), clock });
  for (const url of engines) core.addEndpoint({ url, models: ['m'] });
  const events = new MinHeap<() => void>();
  const freeAtSeconds = new Map<string, number>();
  const got = new Array<number>(20).fill(0);
  const arrive = (name: string) => {
    const ticket = core.route(
      routingRequest(`${name} `.repeat(promptTokens).slice(0, 4 * promptTokens)),
    );
    ticket.sent();
    const { url } = ticket.pick.endpoint;
    const nowSeconds = clock.nowSeconds();
    if (url === 'a') {
      const tens = Math.floor(nowSeconds / 10);
      got[tens] = (got[tens] ?? 0) + 1;
    }
    const startSeconds = Math.max(nowSeconds, freeAtSeconds.get(url) ?? 0);
    const usualSeconds = 0.01 + promptTokens / tokensPerSecond;
    const isSlow = url === 'a' && startSeconds >= faultFromSeconds && startSeconds < untilSeconds;
    const endSeconds = isSlow
      ? Math.min(startSeconds + usualSeconds * slowdown, untilSeconds + usualSeconds)
      : startSeconds + usualSeconds;
    freeAtSeconds.set(url, endSeconds);
    events.add(endSeconds, () => {
      ticket.firstByte();
      events.add(endSeconds + 1, () => ticket.finish({ status: 'completed' }));
    });
  };
  for (let i = 0; i < 200 * perSecond; i++) events.add(i / perSecond, () => arrive(`prompt ${i}`));
  for (;;) {
    const atSeconds = events.leastRank;
    const act = events.take();
    if (act === undefined) return got;
    clock.advanceTo(atSeconds);
    act();
  }
}

test('an engine that was slow for 8 s gets requests within seconds and its share within 40 s, at any load', () => {
  for (const perSecond of [2, 10, 40]) {
    for (const slowdown of [20, 10_000]) {
      const fair = (10 * perSecond) / engines.length;
      const got = sharesOfA({ perSecond, slowdown });
      const what = `${perSecond} requests/s, ${slowdown} times slower: ${got}`;
      assert.ok((got[5] ?? 0) >= 0.9 * fair, what);
      // The fault ended at 68 s.
      const after = got.slice(7, 9).reduce((sum, count) => sum + count, 0);
      assert.ok(after >= fair / 2, what);
      for (const count of got.slice(11)) assert.ok(count >= 0.8 * fair, what);
    }
  }
});

test('an engine that stays slow is tried more and more rarely', () => {
  const got = sharesOfA({ perSecond: 10, slowdown: 50, untilSeconds: 1000 });
  const tried = got.slice(7).reduce((sum, count) => sum + count, 0);
  assert.ok(tried >= 3 && tried <= 30, `${tried}: ${got}`);
});

test('a first byte disturbs an engine if it takes eight times what is expected, and half a second more', () => {
  const isDisturbed = (expected: number, seconds: number) => {
    const speed = { secondsFor: () => expected, snapshot: () => ({}), standAlone() {}, line: {} };
    const chance = new SecondChance({} as ForecastRow, speed as unknown as PrefillSpeed);
    chance.observe(1, seconds, 0);
    return chance.isDisturbed;
  };
  assert.deepEqual([isDisturbed(1, 7.99), isDisturbed(1, 8)], [false, true]);
  assert.deepEqual([isDisturbed(0.03125, 0.53), isDisturbed(0.03125, 0.53125)], [false, true]);
});

/** An engine that was expected to take 1 s, and is expected to take `learned` seconds since. */
function disturbed(seconds: number) {
  const speed = {
    learned: 1,
    restored: 0,
    secondsFor: () => speed.learned,
    snapshot: () => ({}),
    restore: () => speed.restored++,
    isAlone: false,
    standAlone(isAlone: boolean) {
      speed.isAlone = isAlone;
    },
    line: { overheadSeconds: 1, secondsPerToken: 0 },
  };
  const row = { doubt: 0, retryAtSeconds: 0 };
  const chance = new SecondChance(row as ForecastRow, speed as unknown as PrefillSpeed);
  assert.equal(row.retryAtSeconds, Number.POSITIVE_INFINITY);
  chance.observe(1, seconds, 0);
  return { speed, row, chance };
}

test('an engine has its new speed after sixteen slow first bytes in a row that are as long as learned', () => {
  const { speed, row, chance } = disturbed(10);
  speed.learned = 10;
  const slow = (count: number, seconds = 20) => {
    for (let i = 0; i < count; i++) chance.observe(1, seconds, 1);
  };
  slow(15);
  slow(1, 20.1);
  slow(15);
  assert.deepEqual([chance.isDisturbed, row.retryAtSeconds], [true, 3]);
  slow(1);
  assert.deepEqual([chance.isDisturbed, row.retryAtSeconds], [false, Number.POSITIVE_INFINITY]);
  assert.equal(row.doubt, 0);
});

test('three first bytes in a row of at most thrice the time before end a disturbance', () => {
  const { speed, row, chance } = disturbed(10);
  for (const seconds of [3, 3, 3.1, 3, 3]) chance.observe(1, seconds, 1);
  assert.equal(chance.isDisturbed, true);
  chance.begin();
  assert.deepEqual([row.doubt, row.retryAtSeconds], [8, Number.POSITIVE_INFINITY]);
  for (let i = 0; i < 2; i++) chance.observe(1, 3, 1);
  assert.equal(chance.isDisturbed, true, 'a trial begins the count again');
  assert.equal(speed.isAlone, true, 'the speed of others says nothing of it');
  chance.observe(1, 3, 1);
  assert.deepEqual([chance.isDisturbed, row.doubt, speed.isAlone], [false, 0, false]);
});

test('each trial that fails doubles the pause up to a minute; the next disturbance begins with 2 s again', () => {
  const { speed, row, chance } = disturbed(10);
  assert.equal(row.retryAtSeconds, 2);
  chance.observe(1, 10, 1);
  assert.equal(row.retryAtSeconds, 3, 'without a trial the pause stays');
  for (const pause of [4, 8, 16, 32, 60, 60]) {
    chance.begin();
    assert.deepEqual([row.doubt, row.retryAtSeconds], [8, Number.POSITIVE_INFINITY]);
    chance.observe(1, 10, 100);
    assert.deepEqual([row.doubt, row.retryAtSeconds], [0, 100 + pause]);
  }
  assert.equal(speed.restored, 6);
  for (let i = 0; i < 3; i++) chance.observe(1, 1, 100);
  chance.observe(1, 10, 200);
  assert.equal(row.retryAtSeconds, 202);
});

test('an engine that is not disturbed is not tried', () => {
  const { speed, row, chance } = disturbed(1);
  row.retryAtSeconds = 5;
  chance.begin();
  assert.deepEqual([row.doubt, row.retryAtSeconds], [0, Number.POSITIVE_INFINITY]);
  assert.equal(speed.restored, 0);
});
