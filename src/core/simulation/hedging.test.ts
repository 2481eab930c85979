// Hedged requests in a simulated fleet.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../base/index.ts';
import { percentile } from '../stats/index.ts';
import type { SimulatedRequest } from './fleet-options.ts';
import { fleetOf, simulateFleet, traceBlockTokens } from './index.ts';
import type { SimulatedEngine } from './simulated-engine.ts';

const requestCount = 2_000;
const engineCount = 4;

/** Prompts of 2,048 tokens, five a second. */
const requests: readonly SimulatedRequest[] = Array.from({ length: requestCount }, (_, i) => ({
  arrivalSeconds: i / 5,
  promptTokens: 2048,
  outputTokens: 64,
  blockIds: Array.from({ length: 4 }, (_, block) => 4 * i + block),
}));

/** So many of the engines pause for 5 s, once in 3,000 steps on average. */
function pausing(count = 1): SimulatedEngine[] {
  const random = seededRandom(7);
  return fleetOf({ engines: engineCount }).map((engine, index) => {
    if (index >= count) return engine;
    const { cost } = engine;
    const pauseSeconds = () => (random.next() * 3_000 < 1 ? 5 : 0);
    return { ...engine, cost: { stepSeconds: (load) => cost.stepSeconds(load) + pauseSeconds() } };
  });
}

function played(budget: number, policy = 'roundrobin', engines = pausing()) {
  const result = simulateFleet({
    ...{ requests, engines, traceBlockTokens, policy, reportSeconds: 1 },
    hedging: { budget },
  });
  const { won, lost, failed, cancelled } = result.hedges;
  return {
    result,
    hedges: won + lost + failed + cancelled,
    p99: percentile(result.ttftSeconds.toSorted(), 99),
    computed: result.engines.reduce((sum, { computedTokens }) => sum + computedTokens, 0),
  };
}

test('an engine in four that pauses: hedging takes its pauses out of the tail, within its budget', () => {
  const [without, hedged] = [played(0), played(5)];
  assert.equal(without.hedges, 0);
  assert.ok(without.p99 > 1, `${without.p99} s without hedging`);
  assert.ok(hedged.p99 < without.p99 / 2, `${hedged.p99} s instead of ${without.p99} s`);
  assert.ok(hedged.hedges > 0 && hedged.hedges <= 0.05 * requestCount, `${hedged.hedges} hedges`);
  assert.ok(hedged.computed < 1.05 * without.computed);
});

test('each request is served once, and every policy plays it', () => {
  for (const policy of ['predictive', 'leastloaded', 'session', 'prefixaware']) {
    const { result, hedges } = played(10, policy, pausing(engineCount));
    assert.ok(result.failed.every((failed) => failed === 0));
    assert.ok(result.e2eSeconds.every((seconds) => seconds > 0));
    assert.equal(
      result.engines.reduce((sum, one) => sum + one.requests, 0),
      requestCount,
      `${policy}: ${hedges} hedges`,
    );
    assert.ok(hedges > 0, policy);
  }
});

test('engines that fail while they have one of two attempts lose no request', () => {
  const failures = Array.from({ length: 40 }, (_, i) => ({
    ...{ engine: i % 2, atSeconds: 5 + 9 * i, seconds: 4 },
  }));
  const result = simulateFleet({
    ...{ requests, engines: pausing(), traceBlockTokens, policy: 'roundrobin', failures },
    hedging: { budget: 10 },
  });
  const lost = result.failed.filter((failed) => failed === 1).length;
  const begun = result.failed.filter((failed, i) => failed && result.ttftSeconds[i]).length;
  assert.equal(lost, begun, 'only streams that had begun end with their engine');
});

test('kept tokens and disaggregated prefill have no hedging', () => {
  const engines = fleetOf({ engines: 2 });
  const options = { requests, engines, traceBlockTokens, policy: 'roundrobin' };
  const play = () => simulateFleet({ ...options, hedging: { budget: 1 }, keepTokens: true });
  assert.throws(play, RangeError);
});
