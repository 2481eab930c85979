import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveValues } from '../values/index.ts';
import { cacheEnvironment, cacheFlags } from './cache-flags.ts';

const ports = [1, 2, 3].map((n) => ({ lm: n, resp: 10 + n, http: 20 + n }));
function flagsOf(cacheserverSpec: object, count: number): readonly string[] {
  const text = JSON.stringify({ cacheserverSpec: { enabled: true, ...cacheserverSpec } });
  const { values } = resolveValues({ files: [{ name: 'f', text }] });
  return cacheFlags(values, ports[0] as (typeof ports)[number], ports.slice(0, count));
}
const after = (words: readonly string[], flag: string) => words[words.indexOf(flag) + 1];

test('one server has no peers', () => {
  assert.ok(!flagsOf({}, 1).includes('--peers'));
});

test('several servers share the keys and keep two copies of each value, unless copies says otherwise', () => {
  const two = flagsOf({ replicaCount: 2 }, 2);
  assert.equal(after(two, '--peers'), '127.0.0.1:11,127.0.0.1:12');
  assert.equal(after(two, '--peer-address'), '127.0.0.1:11');
  assert.equal(after(two, '--copies'), '2');
  assert.equal(after(flagsOf({ replicaCount: 3 }, 3), '--copies'), '2');
  assert.equal(after(flagsOf({ replicaCount: 3, copies: 1 }, 3), '--copies'), '1');
  assert.equal(after(flagsOf({ replicaCount: 3, copies: 3 }, 3), '--copies'), '3');
});

test('capacityGB is the capacity of the store: the servers have it together, once for each copy', () => {
  const memory = (spec: object, count: number) =>
    Number(after(flagsOf({ capacityGB: 6.4, byteShare: 0.1, ...spec }, count), '--memory'));
  assert.equal(memory({}, 1), 640e6);
  assert.equal(memory({ replicaCount: 2 }, 2), 640e6);
  assert.equal(memory({ replicaCount: 2, copies: 1 }, 2), 320e6);
});

test('several servers have a key in the environment, that of the values or a random one; one server has none', () => {
  const environment = (cacheserverSpec: object, count: number) => {
    const text = JSON.stringify({ cacheserverSpec: { enabled: true, ...cacheserverSpec } });
    const { values } = resolveValues({ files: [{ name: 'f', text }] });
    return cacheEnvironment(values, count, () => 'random');
  };
  assert.deepEqual(environment({}, 1), {});
  assert.deepEqual(environment({}, 2), { SPILLWAY_CACHE_PEERS_KEY: 'random' });
  assert.deepEqual(environment({ peersKey: 'k' }, 2), { SPILLWAY_CACHE_PEERS_KEY: 'k' });
  assert.deepEqual(environment({ peersKey: { secretName: 's', secretKey: 'k' } }, 2), {
    SPILLWAY_CACHE_PEERS_KEY: 'random',
  });
});

test('more copies than servers are refused', () => {
  assert.throws(
    () => flagsOf({ replicaCount: 2, copies: 3 }, 2),
    /cacheserverSpec\.copies \(3\) must not be above replicaCount \(2\)/,
  );
});
