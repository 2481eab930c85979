// An engine that fails under a fleet: what the router's rules make of its requests.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EngineFailure, fleetOf, type SimulatedRequest, simulateFleet } from './index.ts';

const requests: SimulatedRequest[] = Array.from({ length: 40 }, (_, i) => ({
  ...{ arrivalSeconds: i / 4, promptTokens: 4000, outputTokens: 100 },
  blockIds: Array.from({ length: 8 }, (__, block) => i * 8 + block),
}));

const play = (failures: readonly EngineFailure[], engines = 2) =>
  simulateFleet({
    ...{ requests, engines: fleetOf({ engines }), policy: 'leastloaded', failures },
    traceBlockTokens: 512,
  });

test('a request without a token goes elsewhere, one with a token is lost, and others never notice', () => {
  const { failed, retries, engineOf, engines, e2eSeconds } = play([
    { engine: 0, atSeconds: 5, seconds: Number.POSITIVE_INFINITY },
  ]);
  const lost = failed.reduce((sum, one) => sum + one, 0);
  assert.ok(lost >= 1 && lost <= 4, `${lost} lost`);
  const done = engines.reduce((sum, engine) => sum + engine.requests, 0);
  assert.equal(done + lost, 40);
  assert.ok(retries <= 4);
  for (let i = 21; i < 40; i++) assert.equal(engineOf[i], 1);
  e2eSeconds.forEach((seconds, i) => {
    assert.equal(Number.isNaN(seconds), failed[i] === 1);
  });
});

test('it serves again when it is back', () => {
  const { engineOf, failed } = play([{ engine: 0, atSeconds: 2, seconds: 3 }]);
  assert.ok(engineOf.slice(24).includes(0));
  assert.ok(!engineOf.slice(9, 19).includes(0));
  assert.ok(failed.reduce((sum, one) => sum + one, 0) < 5);
});

test('with no engine left requests fail, and the simulation still ends', () => {
  const { failed } = play([{ engine: 0, atSeconds: 5, seconds: 1000 }], 1);
  assert.ok(failed.reduce((sum, one) => sum + one, 0) >= 19);
});
