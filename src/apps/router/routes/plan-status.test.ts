// What /dashboard/plan says of plan, measurements and gate.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineView } from '../../../../test/support/router-views.ts';
import type { EngineSeries } from '../../../core/gate/index.ts';
import { defaultThresholds } from '../../../core/values/index.ts';
import { type PlannedView, parsePlanView, type RequestView } from '../../../core/views/index.ts';
import { PlanStatus, type PlanStatusOptions } from './plan-status.ts';

const planned: PlannedView = {
  ttftSeconds: { mean: 0.2, low: 0.1, high: 0.3 },
  ...{ tpotSeconds: null, tokensPerSecond: null, hitRate: null, kvUsageP99: null, engines: null },
};
const request: RequestView = {
  ...{ atSeconds: 1, requestId: 'r', model: 'm', url: 'u', engine: 'e', outcome: 'completed' },
  ...{ status: 200, ttftSeconds: 0.5, seconds: 1.5, sentSeconds: 0, attempts: 1 },
  ...{ promptTokens: 10, cachedTokens: null, outputTokens: 11 },
};

/** An engine's samples of the last hour, one every five seconds. */
function series(name: string, use: number, count = 720): EngineSeries {
  const times = Array.from({ length: count }, (_, i) => 10_000 - (count - 1 - i) * 5);
  return { name, times, values: times.map(() => use), restarts: 0 };
}

function statusOf(options: Partial<PlanStatusOptions> = {}): PlanStatus {
  return new PlanStatus({
    ...{ planned: undefined, gateMax: undefined, kvUsage: () => [], engines: () => [] },
    ...{ requests: () => [], unixSeconds: () => 10_000, ...options },
  });
}

test('without plan, engines and requests there is nothing to compare or to judge', () => {
  const view = statusOf().view();
  assert.equal(view.planned, null);
  assert.equal(view.gate.verdict, 'unknown');
  assert.deepEqual([view.measured.ttftSeconds, view.measured.kvUsageP99], [null, null]);
  assert.deepEqual(parsePlanView(JSON.stringify(view)), view);
});

test('latencies are means of completed streams only', () => {
  const requests: RequestView[] = [
    request,
    { ...request, ttftSeconds: 0.7, seconds: 1.2, outputTokens: null },
    { ...request, ttftSeconds: null },
    { ...request, outcome: 'failed' },
    { ...request, status: 400 },
  ];
  const { measured, measuredRequests } = statusOf({ requests: () => requests }).view();
  assert.equal(measuredRequests, 2);
  assert.ok(Math.abs((measured.ttftSeconds ?? 0) - 0.6) < 1e-9);
  // One second for the ten tokens after the first; the other response did not report its tokens.
  assert.equal(measured.tpotSeconds, 0.1);
});

test('throughput, hit rate and engines count live engines', () => {
  const rates = {
    ...{ promptTokensPerSecond: 0, hitRate: null, hbmHitTokensPerSecond: 0 },
    ...{ lowerTierTokensPerSecond: 0, computedTokensPerSecond: 0 },
  };
  const reported = { prefixCacheQueries: 100, prefixCacheHits: 25 };
  const engines = [
    engineView('a', { reported, rates: { ...rates, generationTokensPerSecond: 30 } }),
    engineView('b', { reported, rates: { ...rates, generationTokensPerSecond: 12 } }),
    engineView('c', { state: 'dead', rates: { ...rates, generationTokensPerSecond: 99 } }),
  ];
  const { measured } = statusOf({ engines: () => engines }).view();
  assert.deepEqual([measured.tokensPerSecond, measured.hitRate, measured.engines], [42, 0.25, 2]);
});

test('the gate names the fullest engines first, and its maximum is that of the plan or 92 %', () => {
  const kvUsage = () => [series('a', 0.5), series('b', 0.93)];
  const { gate, measured } = statusOf({ kvUsage, planned }).view();
  assert.deepEqual(
    [gate.verdict, gate.max, gate.judged],
    ['fail', defaultThresholds.hbmUtilization, 2],
  );
  assert.deepEqual(
    gate.engines.map(({ name, verdict }) => [name, verdict]),
    [
      ['b', 'fail'],
      ['a', 'pass'],
    ],
  );
  assert.match(gate.because, /^1 of 2 engines over 92 %: b \(93 %\)$/);
  assert.equal(measured.kvUsageP99, 0.93);
  assert.equal(statusOf({ kvUsage, gateMax: 0.95 }).view().gate.verdict, 'pass');
});

test('a router that has not run for long has not enough data', () => {
  const { gate } = statusOf({ kvUsage: () => [series('a', 0.99, 120)] }).view();
  assert.equal(gate.verdict, 'unknown');
  assert.equal(gate.engines[0]?.p99, 0.99);
  assert.match(gate.because, /the existing samples of a \(99 %\) are over 92 %/);
});

test('lists the eight fullest engines of a large fleet, and judges anew after five seconds only', () => {
  let reads = 0;
  let now = 10_000;
  const kvUsage = () => {
    reads++;
    return Array.from({ length: 20 }, (_, i) => series(`e${i}`, i / 100));
  };
  const status = statusOf({ kvUsage, unixSeconds: () => now });
  const { gate } = status.view();
  assert.deepEqual([gate.judged, gate.engines.length], [20, 8]);
  assert.equal(gate.engines[0]?.name, 'e19');
  now += 4.9;
  status.view();
  assert.equal(reads, 1);
  now += 0.1;
  status.view();
  assert.equal(reads, 2);
});
