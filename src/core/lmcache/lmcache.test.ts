import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blake3, ChunkDirectory, chunkHashes, type EventBatch } from './index.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('BLAKE3 hashes as its authors’ test vectors say, also over several chunks', () => {
  // https://github.com/BLAKE3-team/BLAKE3/blob/master/test_vectors/test_vectors.json, input i % 251
  const input = (length: number) => Uint8Array.from({ length }, (_, i) => i % 251);
  assert.equal(
    hex(blake3(input(0))),
    'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262',
  );
  assert.equal(
    hex(blake3(input(1))),
    '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213',
  );
});

test('chunks have the names that LMCache 0.5.6 gives them', () => {
  const first = Array.from({ length: 600 }, (_, i) => i);
  assert.deepEqual(chunkHashes(first), [
    '084547b6c40ed5b05ba8cd0305db5bf74d5617673948d9ed193ab7d6cbc484d4',
    'e5ffee45c2b9db326814c9692dc594369887ba3b0df5761817820b60f864c8e0',
  ]);
  assert.deepEqual(chunkHashes(first, 16).slice(0, 2), [
    '32748aa00c5090e4f0e1f149078a07381f4f618d898c1cbac17e36521c3de48f',
    'b41527751e5bac5a664450d89585d03c64c3985924969dfb1808b151dd214695',
  ]);
  const second = Array.from({ length: 700 }, (_, i) => (i * 7919 + 104_729) % 151_936);
  assert.deepEqual(chunkHashes(second), [
    '427fe2aed4bdd077c271fba579faf36edcfe40b15dbd57b7eb97ae81c323f648',
    'f42a29cbdee87a5fe2a6a1bf11530da7d70f75436c20afecc5559d5e028b5f8d',
  ]);
});

const key = {
  ...{ chunk_hash_hex: 'ab', model_name: 'm', kv_rank: 1 },
  ...{ object_group_id: 0, cache_salt: '' },
};
const batch = (seq: number, more: Partial<EventBatch> = {}): EventBatch => ({
  ...{ instance_id: 'a', incarnation: 1, seq, event_type: 'store', tier: 'l1', backend: 'dram' },
  ...{ shared: false, capacity_bytes: 0, entries: [{ key, size_bytes: 10 }] },
  ...more,
});
const holders = (directory: ChunkDirectory) =>
  directory.find(key).placements.map(({ instance_id, tier }) => `${instance_id} ${tier}`);

test('a report that comes twice counts once, and a new start voids what was before', () => {
  const directory = new ChunkDirectory();
  assert.deepEqual(directory.apply([batch(1), batch(1), batch(2, { tier: 'l2' })], 0), {
    ...{ applied: 2, duplicates: 1, stale: 0 },
  });
  assert.deepEqual(holders(directory), ['a l1', 'a l2']);
  const restarted = batch(0, { incarnation: 2, entries: [] });
  assert.deepEqual(directory.apply([restarted, batch(9)], 0), {
    ...{ applied: 1, duplicates: 0, stale: 1 },
  });
  assert.deepEqual(holders(directory), []);
});

test('a server that is silent is gone with what it alone has; a shared store stays', () => {
  const directory = new ChunkDirectory();
  const instance = {
    ...{ instance_id: 'a', ip: '', http_port: 1, metadata: {} },
    ...{ p2p_advertised_url: '', mq_port: 0 },
  };
  assert.equal(directory.register(instance, 0), false);
  assert.equal(directory.register(instance, 0), true);
  directory.apply([batch(1), batch(2, { tier: 'l2', backend: 's3', shared: true })], 0);
  directory.expire(30);
  assert.equal(directory.heard('a', 30), true);
  directory.expire(60);
  assert.deepEqual(holders(directory), ['a l1', 'a l2']);
  directory.expire(61);
  assert.deepEqual(holders(directory), ['a l2']);
  assert.equal(directory.heard('a', 61), false, 'it has to register again');
});
