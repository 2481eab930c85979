// The closed loop and the engine model are two schedulers. Where their assumptions coincide (no shared
// prefix, KV blocks of one token) they must agree, so that neither drifts from the other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { engineLoop } from '../../../test/support/engine-loop.ts';
import type { StepLoad } from '../engine/index.ts';
import { closedLoop } from './index.ts';

/** Every part of the load costs something, so a difference in any of them shows. */
const cost = {
  stepSeconds: (load: StepLoad) =>
    1e-3 +
    load.sequences * 1e-5 +
    load.prefillTokens * 3e-6 +
    (load.prefillTokenContext + load.prefillTokensSquared / 2) * 7e-10 +
    load.decodeContextTokens * 2e-8,
};

const loops = fc.record({
  clients: fc.integer({ min: 1, max: 12 }),
  requestsPerClient: fc.integer({ min: 1, max: 4 }),
  maxNumSeqs: fc.integer({ min: 1, max: 12 }),
  maxNumBatchedTokens: fc.integer({ min: 16, max: 400 }),
  promptTokens: fc.integer({ min: 1, max: 300 }),
  outputTokens: fc.integer({ min: 1, max: 60 }),
  arrivalSeconds: fc.double({ min: 0, max: 0.02, noNaN: true }),
  plansAhead: fc.boolean(),
  seed: fc.integer({ min: 1, max: 1000 }),
});

/** A request that arrives just before the end of a run of steps, whose later steps are a little longer. */
const beforeTheEnd = {
  ...{ clients: 2, requestsPerClient: 3, maxNumSeqs: 2, maxNumBatchedTokens: 16 },
  ...{ promptTokens: 5, outputTokens: 53, arrivalSeconds: 0.0151632, plansAhead: false, seed: 513 },
};

test('with space for every client, the closed loop has the times of the engine model', () => {
  fc.assert(
    fc.property(loops, ({ clients, requestsPerClient, ...loop }) => {
      const options = {
        ...{ ...loop, cost, clients, requests: clients * requestsPerClient },
        kvTokensMax: clients * (loop.promptTokens + loop.outputTokens) + 1,
      };
      const [found, expected] = [closedLoop(options), engineLoop(options, 1)];
      assertClose(found.meanTtftSeconds, expected.meanTtftSeconds, 1e-9);
      assertClose(found.meanTpotSeconds, expected.meanTpotSeconds, 1e-9);
    }),
    { numRuns: 300, examples: [[beforeTheEnd]] },
  );
});

test('beyond the KV cache 98 % of the loops agree exactly, and their mean within half a percent', () => {
  const tight = fc.tuple(loops, fc.double({ min: 0, max: 1, noNaN: true }));
  const ratios = fc.sample(tight, { numRuns: 600, seed: 1 }).map(([loop, room]) => {
    const { clients, requestsPerClient, ...rest } = loop;
    const longest = loop.promptTokens + loop.outputTokens;
    const options = {
      ...{ ...rest, cost, clients, requests: clients * requestsPerClient },
      kvTokensMax: Math.ceil(longest * (1 + room * (clients - 1))) + 1,
    };
    return closedLoop(options).meanTtftSeconds / engineLoop(options, 1).meanTtftSeconds;
  });
  const equal = ratios.filter((ratio) => Math.abs(ratio - 1) < 1e-9).length;
  const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
  assert.ok(equal >= 0.98 * ratios.length, `${equal} of ${ratios.length} loops are equal`);
  assert.ok(Math.abs(mean - 1) < 0.005, `mean ratio of TTFT ${mean}`);
});

function assertClose(found: number, expected: number, relative: number): void {
  const isClose = Math.abs(found - expected) <= relative * Math.max(expected, 1e-6);
  assert.ok(isClose, `the closed loop says ${found}, the engine model ${expected}`);
}
