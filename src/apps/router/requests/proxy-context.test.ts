// What holds for all requests where the options say nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routerInMemory } from '../../../../test/support/router-in-memory.ts';

test('by default a request is rerouted twice, a stream moves, and responses say why their engine was picked', (t) => {
  const { proxy } = routerInMemory(t, { router: { pickHeader: undefined } as never });
  assert.equal(proxy.retryPolicy.reroutesMax, 2);
  assert.deepEqual([proxy.migration.isOn, proxy.sight.isOpen], [true, true]);
});

test('each of these can be turned off', (t) => {
  const { proxy } = routerInMemory(t, {
    router: { reroutesMax: 0, migration: false, pickHeader: false },
  });
  assert.equal(proxy.retryPolicy.reroutesMax, 0);
  assert.deepEqual([proxy.migration.isOn, proxy.sight.isOpen], [false, false]);
});
