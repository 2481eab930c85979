import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startSecondsMax } from './startup-probe.ts';

test('a startup probe waits for its delay and all its failures', () => {
  const probe = { initialDelaySeconds: 15, periodSeconds: 5, failureThreshold: 60 };
  assert.equal(startSecondsMax(probe), 315);
});

test('keys that are not set have the defaults of Kubernetes', () => {
  assert.equal(startSecondsMax({}), 30);
  assert.equal(startSecondsMax({ initialDelaySeconds: 15 }), 45);
});
