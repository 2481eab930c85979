import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { CacheClient } from '../../../io/cache-client/index.ts';
import { OutsideWork } from './outside-work.ts';
import { RemoteStore } from './remote-store.ts';

const valueBytes = 100 << 20;
const chunkBytes = 1;

test('chunks beyond what may be on its way wait, and all reach the server', async () => {
  const stored: string[] = [];
  let [sending, most] = [0, 0];
  const store = new RemoteStore({
    client: {
      put: async (name: string) => {
        sending += 1;
        most = Math.max(most, sending);
        await setImmediate();
        sending -= 1;
        stored.push(name);
      },
      close: () => {},
    } as unknown as CacheClient,
    values: {
      ...{ valueBytes, keyOf: (hash: string) => hash, hashOf: () => undefined },
      nameOf: (key) => `${key}`,
    },
    ...{ chunkBytes, link: { bytesPerSecond: 1e9 }, lookupSeconds: 0 },
    ...{ outside: new OutsideWork(), nameOf: () => undefined, onKnown: () => {}, nowMs: () => 0 },
  });
  const keys = [1, 2, 3, 4, 5, 6, 7];
  store.write(keys, 0);
  store.advance(1);
  while (stored.length < keys.length) await setImmediate();
  assert.deepEqual(stored, keys.map(String));
  assert.equal(most, 2);
  assert.deepEqual([store.stats.dropped, store.stats.waiting], [0, 0]);
});
