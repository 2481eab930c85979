import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ModelEntry, resolveValues } from '../values/index.ts';
import { kvTierCosts, lmcacheRoles, lmcacheSizes } from './kv-tiers.ts';

function entryOf(sections: string): ModelEntry {
  const text = `servingEngineSpec: {modelSpec: [{name: m, ${sections}}]}`;
  const [entry] = resolveValues({ files: [{ name: 'f', text }] }).values.servingEngineSpec
    .modelSpec;
  return entry ?? assert.fail();
}

test('reads costs of tiers in bytes per second and in seconds', () => {
  const text =
    'kvTiers: {hostGBps: 20, stepMs: 0.5, lookupMs: 2, diskReadGBps: 3, diskWriteGBps: 1.5, load: cheaper}';
  assert.deepEqual(kvTierCosts(entryOf(text)), {
    hostBytesPerSecond: 20e9,
    stepSeconds: 0.0005,
    lookupSeconds: 0.002,
    diskReadBytesPerSecond: 3e9,
    diskWriteBytesPerSecond: 1.5e9,
    peerBytesPerSecond: undefined,
    loadsOnlyCheaper: true,
  });
});

test('without the section, costs are undefined and each hit is loaded', () => {
  assert.deepEqual(kvTierCosts(entryOf('')), {
    ...{ hostBytesPerSecond: undefined, stepSeconds: undefined, lookupSeconds: undefined },
    ...{ diskReadBytesPerSecond: undefined, diskWriteBytesPerSecond: undefined },
    peerBytesPerSecond: undefined,
    loadsOnlyCheaper: false,
  });
  assert.equal(kvTierCosts(entryOf('kvTiers: {load: always}')).loadsOnlyCheaper, false);
});

test('reads sizes of LMCache in GiB, as numbers or text', () => {
  const sizes = 'cpuOffloadingBufferSize: "2", diskOffloadingBufferSize: 10';
  const expected = { hostBytes: 2 ** 31, diskBytes: 10 * 2 ** 30 };
  assert.deepEqual(lmcacheSizes(entryOf(`lmcacheConfig: {enabled: true, ${sizes}}`)), expected);
  const transferring = `lmcacheConfig: {enabled: true, enablePD: true, ${sizes}}`;
  assert.equal(lmcacheSizes(entryOf(transferring)), undefined);
  assert.equal(lmcacheSizes(entryOf(`lmcacheConfig: {${sizes}}`)), undefined);
  assert.equal(lmcacheSizes(entryOf('')), undefined);
  assert.deepEqual(lmcacheSizes(entryOf('lmcacheConfig: {enabled: true, enablePD: false}')), {
    ...{ hostBytes: 0, diskBytes: 0 },
  });
});

test('reads the roles of a KV transfer from lmcacheConfig', () => {
  const entry = entryOf('lmcacheConfig: {kvRole: kv_producer, nixlRole: sender}');
  assert.deepEqual(lmcacheRoles(entry), { kvRole: 'kv_producer', nixlRole: 'sender' });
  assert.deepEqual(lmcacheRoles(entryOf('')), { kvRole: undefined, nixlRole: undefined });
});
