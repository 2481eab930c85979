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
    const speed = { secondsFor: () => expected, snapshot: () => ({}), line: {} };
    const chance = new SecondChance({} as ForecastRow, speed as unknown as PrefillSpeed);
    chance.observe(1, seconds, 0);
    return chance.isDisturbed;
  };
  assert.deepEqual([isDisturbed(1, 7.99), isDisturbed(1, 8)], [false, true]);
  assert.deepEqual([isDisturbed(0.03125, 0.53), isDisturbed(0.03125, 0.53125)], [false, true]);
});
