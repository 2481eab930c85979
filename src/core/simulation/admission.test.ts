// The admission queue in front of a simulated fleet.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultSaturationLimits } from '../routing/index.ts';
import type { SimulatedAdmission, SimulatedRequest } from './fleet-options.ts';
import { fleetOf, simulateFleet, traceBlockTokens } from './index.ts';

/** Requests of 8,192 tokens, which an H100 computes in about a third of a second, and 64 tokens of output. */
function steady(perSecond: number, seconds: number, first = 0): SimulatedRequest[] {
  return Array.from({ length: Math.floor(perSecond * seconds) }, (_, i) => ({
    arrivalSeconds: i / perSecond,
    promptTokens: 8192,
    outputTokens: 64,
    blockIds: Array.from({ length: 16 }, (_, block) => 16 * (first + i) + block),
  }));
}

const admission: SimulatedAdmission = {
  queueTimeoutSeconds: 2,
  queuedRequestsMax: 1000,
  saturation: defaultSaturationLimits,
};

function played(
  requests: readonly SimulatedRequest[],
  options: { admission?: SimulatedAdmission },
) {
  const engines = fleetOf({ engines: 2 });
  const result = simulateFleet({
    ...{ requests, engines, traceBlockTokens, policy: 'predictive', reportSeconds: 1 },
    ...options,
  });
  const good = result.ttftSeconds.filter((ttft) => ttft <= 6).length;
  return { result, good, rejected: result.rejected };
}

test('a fleet that keeps up serves all requests, at the same times as without a queue', () => {
  const requests = steady(2, 60);
  const [without, queued] = [played(requests, {}), played(requests, { admission })];
  assert.equal(queued.rejected, 0);
  assert.deepEqual(queued.result.ttftSeconds, without.result.ttftSeconds);
});

test('an overloaded fleet with a queue serves what it can in time; without one, all are late', () => {
  const requests = steady(16, 60);
  const [without, queued] = [played(requests, {}), played(requests, { admission })];
  assert.equal(without.rejected, 0);
  assert.ok(queued.rejected > 100);
  assert.ok(queued.good > 2 * without.good, `${queued.good} with, ${without.good} without`);
  const served = requests.length - queued.rejected;
  assert.ok(queued.good > 0.95 * served, `${queued.good} of ${served} served requests are good`);
  assert.equal(queued.result.failed.filter((one) => one === 1).length, queued.rejected);
});

test('urgent requests are served before others, and an owner with few before one with many', () => {
  const requests = steady(16, 60);
  const isUrgent = (request: SimulatedRequest) => (request.blockIds[0] as number) % 160 === 0;
  const { result } = played(requests, {
    admission: { ...admission, priority: (request) => (isUrgent(request) ? -1 : 0) },
  });
  const lostShare = (failed: Uint8Array, of: (request: SimulatedRequest) => boolean) => {
    const chosen = requests.flatMap((request, i) => (of(request) ? [failed[i] as number] : []));
    return chosen.reduce((sum, one) => sum + one, 0) / chosen.length;
  };
  assert.ok(lostShare(result.failed, isUrgent) < 0.05);
  const fair = played(requests, {
    admission: { ...admission, owner: (request) => (isUrgent(request) ? 'few' : 'many') },
  });
  assert.ok(lostShare(fair.result.failed, isUrgent) < 0.05);
  assert.ok(lostShare(fair.result.failed, (request) => !isUrgent(request)) > 0.1);
});
