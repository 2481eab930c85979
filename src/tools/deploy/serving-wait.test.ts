import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ComponentState, stackState } from '../../core/deploy/index.ts';
import { type Completions, waitUntilServing } from './serving-wait.ts';

const served: Completions = { completions: ['m in 20 ms'], reason: '' };
const words = { parts: 'pods', logs: 'spillway logs' };

function engine(health: ComponentState['health'], reason = ''): ComponentState {
  const ready = health === 'ready' ? 1 : 0;
  return {
    ...{ role: 'engine', name: 'engine q', wanted: 1, ready, health, cause: 'none', reason },
    ...{ next: 'raise requestMemory', pods: [] },
  };
}

/** Far beyond what a loaded machine needs. */
const longMs = 60_000;

/** Waits on observed states, one per look; the last one stays. */
async function waitOn(
  states: readonly ComponentState[],
  complete: () => Promise<Completions> = async () => served,
  waitMs = longMs,
) {
  const changes: string[] = [];
  let looks = 0;
  const result = await waitUntilServing({
    observe: async () =>
      stackState([states[Math.min(looks++, states.length - 1)] ?? engine('starting')]),
    ...{ complete, waitMs, pollMs: 5, words },
    onChange: ({ health, reason }) => changes.push(`${health} ${reason}`.trim()),
  });
  return { result, changes };
}

test('a stack serves when its components are ready and every model has completed', async () => {
  const loading = engine('starting', 'loading weights');
  const { result, changes } = await waitOn([loading, loading, engine('ready')]);
  assert.equal(result.isServing, true);
  assert.deepEqual(result.completions, ['m in 20 ms']);
  assert.deepEqual(changes, ['starting loading weights', 'ready']);
});

test('completions are tried again until one is served', async () => {
  let tries = 0;
  const { result } = await waitOn([engine('ready')], async () =>
    ++tries < 3 ? { completions: [], reason: 'the router has no model yet' } : served,
  );
  assert.equal(result.isServing, true);
  assert.equal(tries, 3);
});

test('a stack whose completions fail until the end of the wait gives their reason', async () => {
  const failing = async () => ({ completions: [], reason: 'status 503' });
  const { result } = await waitOn([engine('ready')], failing, 200);
  assert.equal(result.isServing, false);
  assert.match(
    result.reason,
    /^all pods are ready, but no completion was served within 0 s: status 503$/,
  );
  assert.equal(result.next, 'see the logs of router and engines ("spillway logs")');
});

test('a component that is not ready at the end of the wait is named with its reason and next step', async () => {
  const { result } = await waitOn([engine('failed', 'out of memory')], undefined, 200);
  assert.equal(result.reason, 'engine q is not ready within 0 s (0/1): out of memory');
  assert.equal(result.next, 'raise requestMemory');
});

test('a wait ends when its signal is aborted', async () => {
  const waiting = waitUntilServing({
    observe: async () => stackState([engine('starting')]),
    ...{ complete: async () => served, waitMs: 60_000, pollMs: 60_000, words },
    signal: AbortSignal.timeout(20),
  });
  await assert.rejects(waiting, /abort|timeout/i);
});
