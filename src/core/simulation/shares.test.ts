// Equal engines get equal shares: not of time, of requests. Latency alone does not show it, since one engine can serve light
// traffic as well as three.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jitteredEngines } from '../../../test/support/jittered-engines.ts';
import { randomExponential, seededRandom } from '../base/index.ts';
import type { EngineFailure, SimulatedRequest } from './fleet-options.ts';
import { simulateFleet } from './index.ts';

const blockTokens = 16;
const promptTokens = 300;
const blocks = Math.ceil(promptTokens / blockTokens);

interface Played {
  readonly engines: number;
  readonly perSecond: number;
  readonly requests: number;
  readonly seed: number;
  readonly isCold: boolean;
  readonly firstSlowedBy?: number;
  readonly policy?: string;
  readonly routers?: number;
  readonly sharesAttempts?: boolean;
  readonly failures?: readonly EngineFailure[];
}

/** Prompts of 300 tokens that nothing has in common, responses of 40. */
function traffic({ perSecond, requests, seed }: Played): SimulatedRequest[] {
  const random = seededRandom(seed);
  let arrivalSeconds = 0;
  return Array.from({ length: requests }, (_, i) => {
    arrivalSeconds += randomExponential(random, 1 / perSecond);
    const blockIds = Array.from({ length: blocks }, (_, block) => i * blocks + block);
    return { arrivalSeconds, promptTokens, outputTokens: 40, blockIds };
  });
}

/** Returns the share of each engine in a part of the requests; 1 is a fair one. */
function play(played: Played) {
  const requests = traffic(played);
  const { policy = 'predictive', engines, isCold, seed, firstSlowedBy } = played;
  const { routers, sharesAttempts, failures } = played;
  const { engineOf } = simulateFleet({
    ...{ requests, policy, seed, routers, sharesAttempts, failures },
    ...{ traceBlockTokens: blockTokens, reportSeconds: 30 },
    engines: jitteredEngines({
      engines,
      seed,
      isCold,
      blockTokens,
      firstSlowedBy: firstSlowedBy ?? 1,
    }),
  });
  return (isPart: (seconds: number) => boolean = () => true): number[] => {
    const counts = new Array<number>(engines).fill(0);
    let all = 0;
    engineOf.forEach((engine, i) => {
      if (!isPart((requests[i] as SimulatedRequest).arrivalSeconds)) return;
      counts[engine] = (counts[engine] as number) + 1;
      all += 1;
    });
    return counts.map((count) => (count * engines) / all);
  };
}

function assertFair(shares: readonly number[], tolerance: number, what: string): void {
  const [least, most] = [Math.min(...shares), Math.max(...shares)];
  const text = `${what}: ${least.toFixed(2)} to ${most.toFixed(2)} of a fair share`;
  assert.ok(least >= 1 - tolerance && most <= 1 + tolerance, text);
}

const seed = 1 + Math.floor(1000 * Math.random());
const givenSeed = Number(process.env['SPILLWAY_TEST_SEED'] ?? seed);

for (const perSecond of [1, 5, 20, 100]) {
  for (const engines of [2, 3, 10, 100]) {
    test(`${engines} equal engines get equal shares of ${perSecond} requests/s, cold and warm`, () => {
      for (const isCold of [true, false]) {
        const requests = Math.max(300, 12 * engines, 15 * perSecond);
        const played = { engines, perSecond, requests, seed: givenSeed, isCold };
        const what = `seed ${givenSeed}, ${isCold ? 'cold' : 'warm'}`;
        const busy = perSecond / engines >= 10;
        // Under load, the emptiest engine gets the next request; the first ones of cold engines differ by seconds.
        assertFair(play(played)(), busy || isCold ? 0.4 : 0.2, what);
      }
    });
  }
}

test('shares are equal behind three routers, whether or not they share their attempts', () => {
  for (const sharesAttempts of [true, false]) {
    for (const perSecond of [5, 20]) {
      const played = { engines: 4, perSecond, requests: 600, seed: givenSeed, isCold: true };
      const shares = play({ ...played, routers: 3, sharesAttempts })();
      assertFair(shares, 0.4, `seed ${givenSeed}, ${perSecond}/s, sharing ${sharesAttempts}`);
    }
  }
});

test('an engine that joins a fleet gets its share, and not what it has missed', () => {
  for (const perSecond of [2, 20]) {
    const played = { engines: 4, perSecond, requests: 300 * perSecond, seed: givenSeed };
    const failures = [{ engine: 3, atSeconds: 0, seconds: 120 }];
    const share = play({ ...played, isCold: true, failures });
    const [first, then] = [
      share((seconds) => seconds >= 120 && seconds < 160)[3] as number,
      share((seconds) => seconds >= 160 && seconds < 280)[3] as number,
    ];
    const what = `seed ${givenSeed}, ${perSecond}/s: ${first} of a fair share, then ${then}`;
    assert.ok(first > 0.3 && first < 1.5, what);
    assert.ok(then > 0.7 && then < 1.3, what);
  }
});

test('an engine that is twice as slow gets less, and is still tried', () => {
  for (const isCold of [true, false]) {
    const played = { engines: 3, perSecond: 5, requests: 1500, seed: givenSeed };
    const share = play({ ...played, isCold, firstSlowedBy: 2 });
    const [slow, ...others] = share((seconds) => seconds > 120) as [number, number, number];
    const what = `seed ${givenSeed}, ${isCold ? 'cold' : 'warm'}: ${slow} and ${others}`;
    assert.ok(slow > 0 && slow < 0.5, what);
    assert.ok(Math.min(...others) > 1.1, what);
  }
});
