// When a request is late, how many may be hedged, and in which order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../base/index.ts';
import type { EngineAttempt } from '../index.ts';
import { Hedging, hedgeTickSeconds, MeasuredHedgeDelays } from '../index.ts';

const nothing = (): void => {};

function attempt(predictedSeconds: number | undefined, prefillTokens = 100): EngineAttempt {
  return {
    ...{ url: 'a', predictedSeconds, prefillTokens, unpick: nothing, send: nothing },
    ...{ abort: nothing, engineOut: nothing, engineSuspected: nothing, firstByte: nothing },
    ...{ lacksModel: nothing },
    ...{ progressed: nothing, outrun: nothing, broke: nothing, ended: nothing },
  };
}

/** A router's hedging, and requests that record when they are asked to hedge. */
function fleet(of: { budgetShare?: number; idle?: number; isMeasured?: boolean } = {}) {
  const clock = new ManualClock(1000);
  let idle = of.idle ?? Number.POSITIVE_INFINITY;
  const delays = new MeasuredHedgeDelays();
  const hedging = new Hedging({
    ...{ budgetShare: of.budgetShare ?? 1, clock },
    delays: of.isMeasured === false ? { delaySeconds: () => 0, observe: nothing } : delays,
  });
  const hedged: number[] = [];
  let number = 0;
  const begin = (predicted?: number, options: { mayHedge?: boolean; model?: string } = {}) => {
    const mine = number++;
    hedging.budget.deposit();
    const hedge = () => {
      if (idle === 0) return false;
      idle--;
      hedged.push(mine);
      return true;
    };
    const { mayHedge = true, model = 'm' } = options;
    return hedging.begin({ hedge }, model, attempt(predicted), mayHedge);
  };
  /** Requests that take so long each. */
  const serve = (times: number, seconds: (index: number) => number, predicted?: number) => {
    for (let i = 0; i < times; i++) {
      const wait = begin(predicted, { mayHedge: false });
      clock.advance(seconds(i));
      wait.observed();
    }
  };
  const after = (seconds: number): number[] => {
    for (let left = seconds; left > 1e-9; left -= hedgeTickSeconds) {
      clock.advance(hedgeTickSeconds);
      hedging.check();
    }
    return hedged.splice(0);
  };
  return {
    ...{ hedging, begin, serve, after },
    setIdle: (engines: number) => {
      idle = engines;
    },
  };
}

test('a first byte is late after the 95th percentile of time over prediction, times its own prediction', () => {
  const { begin, serve, after } = fleet();
  // 94 of 100 take as long as predicted, six three times as long.
  serve(100, (i) => (i % 17 === 0 ? 0.3 : 0.1), 0.1);
  begin(1);
  assert.deepEqual(after(2.6), []);
  assert.deepEqual(after(0.7), [100]);
});

test('without a prediction, prompts of the same size decide, and too few of them decide nothing', () => {
  const { begin, serve, after } = fleet();
  serve(99, () => 0.5);
  begin();
  assert.deepEqual(after(10), []);
  serve(1, () => 0.5);
  begin();
  assert.deepEqual(after(0.45), []);
  assert.deepEqual(after(0.2), [101]);
  begin(undefined, { model: 'other' });
  assert.deepEqual(after(10), []);
});

test('a first byte in time ends the wait, and one that another engine sent counts as late', () => {
  const { hedging, begin, serve, after } = fleet();
  serve(100, () => 0.1, 0.1);
  begin(0.1).observed();
  begin(0.1).dropped();
  assert.deepEqual(after(1), []);
  assert.equal(hedging.waiting, 0);
  // As many late ones as make them usual.
  for (let i = 0; i < 20; i++) {
    const wait = begin(0.1);
    after(1);
    wait.observed();
  }
  begin(0.1);
  assert.deepEqual(after(0.5), []);
});

test('without an idle engine a late request waits for one, and others of its model are not asked about', () => {
  const { begin, serve, after, setIdle } = fleet({ idle: 0 });
  serve(100, () => 0.1, 0.1);
  begin(0.1);
  begin(0.1);
  assert.deepEqual(after(1), []);
  setIdle(1);
  assert.equal(after(0.1).length, 1);
  setIdle(1);
  assert.equal(after(0.1).length, 1);
});

test('there are never more hedges than the share of the requests, however late they are', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.001, max: 1, noNaN: true }),
      fc.array(fc.boolean(), { maxLength: 300 }),
      (budgetShare, steps) => {
        const { begin, after } = fleet({ budgetShare, isMeasured: false });
        let [requests, hedges] = [0, 0];
        for (const arrives of steps) {
          if (arrives) {
            begin(0.1);
            requests++;
          }
          hedges += after(0.2).length;
          assert.ok(hedges <= budgetShare * requests + 1e-6, `${hedges} of ${requests}`);
        }
      },
    ),
  );
});
