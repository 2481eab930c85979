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

test('a request without a token is rerouted, one with a token is lost, and others are unaffected', () => {
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

test('an engine serves again after its return', () => {
  const { engineOf, failed } = play([{ engine: 0, atSeconds: 2, seconds: 3 }]);
  assert.ok(engineOf.slice(24).includes(0));
  assert.ok(!engineOf.slice(9, 19).includes(0));
  assert.ok(failed.reduce((sum, one) => sum + one, 0) < 5);
});

test('without any engine, requests fail and the simulation ends', () => {
  // In the middle of a prefill.
  const { failed, retries } = play([{ engine: 0, atSeconds: 5.02, seconds: 1000 }], 1);
  assert.ok(failed.reduce((sum, one) => sum + one, 0) >= 19);
  assert.equal(retries, 0);
});

test('a request on which two engines fail is given up, as in the router', () => {
  const engines = 4;
  // Each engine fails every 0.4 s for a moment; the prompt would take seconds.
  const failures = Array.from({ length: 400 }, (_, i) => ({
    ...{ engine: i % engines, atSeconds: 0.1 + i / 10, seconds: 0.01 },
  }));
  const { failed, retries, seconds } = simulateFleet({
    requests: [{ arrivalSeconds: 0, promptTokens: 100_000, outputTokens: 10, blockIds: [] }],
    ...{ engines: fleetOf({ engines }), policy: 'leastloaded', failures, traceBlockTokens: 512 },
  });
  assert.deepEqual([...failed], [1]);
  assert.equal(retries, 1);
  assert.ok(seconds < 2, `${seconds} s`);
});
