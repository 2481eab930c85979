import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  decodeControllerReply,
  decodeWorkerMessage,
  encodeLmcacheMessage,
  handleRequest,
  inProcessChunkHashes,
  noneHash,
  type WorkerMessage,
  WorkerRegistry,
} from './index.ts';

test('chunks have the names that LMCache 0.5.6 gives them, for each seed and chunk size', () => {
  // Computed by the package, with Python 3.11.
  const lines = readFileSync(join(import.meta.dirname, 'fixtures/hashes.jsonl'), 'utf8').trim();
  const tokensOf: Record<string, number[]> = {
    '0..599': Array.from({ length: 600 }, (_, i) => i),
    '(i*7919+104729)%151936, i<700': Array.from(
      { length: 700 },
      (_, i) => (i * 7919 + 104_729) % 151_936,
    ),
  };
  let compared = 0;
  for (const line of lines.split('\n')) {
    const { PYTHONHASHSEED: seed, ...hashes } = JSON.parse(line);
    const root = hashes.vllm_importable ? noneHash(Number(seed)) : 0n;
    assert.equal(String(root), hashes.none_hash);
    const names = inProcessChunkHashes(tokensOf[hashes.tokens] ?? [], root, hashes.chunk_size);
    assert.deepEqual(names.slice(0, hashes.chunk_hashes.length).map(String), hashes.chunk_hashes);
    compared++;
  }
  assert.equal(compared, 12);
});

const message = (more: Partial<WorkerMessage> = {}): WorkerMessage => ({
  ...{ type: '', instanceId: 'a', workerId: 0, ip: '10.0.0.1', port: 1, peerInitUrl: undefined },
  ...{ location: 'LocalCPUBackend', syncId: '', batchId: 0, batchCount: 0, totalKeys: 0 },
  ...{ keys: [], operations: [] },
  ...more,
});
const operations = (first: number, ...keys: readonly bigint[]) =>
  keys.map((key, i) => ({ isAdmission: true, key, sequence: first + i }));
const chunksOf = (registry: WorkerRegistry, ...keys: readonly bigint[]) =>
  registry.match(keys).map(({ instanceId, chunks }) => `${instanceId} ${chunks}`);

test('a lookup says how far each instance holds the prompt, the longest first', () => {
  const registry = new WorkerRegistry();
  for (const instanceId of ['a', 'b', 'c']) registry.register(message({ instanceId }), 0);
  registry.operate(message({ operations: operations(0, 1n) }), 0);
  registry.operate(message({ instanceId: 'b', operations: operations(0, 1n, 2n, -3n) }), 0);
  registry.operate(message({ instanceId: 'c', operations: operations(0, 2n, -3n) }), 0);
  assert.deepEqual(chunksOf(registry, 1n, 2n, -3n, 4n), ['b 3', 'a 1']);
  // Signed and unsigned forms of 64 bits name the same chunk.
  assert.deepEqual(chunksOf(registry, 1n, 2n, 2n ** 64n - 3n), ['b 3', 'a 1']);
  assert.deepEqual(chunksOf(registry, 5n), []);
});

test('a peer is an engine with P2P that has the beginning of the prompt in host memory, and is not the one that asks', () => {
  const registry = new WorkerRegistry();
  const peer = (instanceId: string) => ({ instanceId, peerInitUrl: `${instanceId}:8200` });
  for (const instanceId of ['a', 'b', 'c']) registry.register(message(peer(instanceId)), 0);
  registry.register(message({ instanceId: 'without P2P' }), 0);
  const holds = (instanceId: string, location: string, ...keys: readonly bigint[]) =>
    registry.operate(message({ instanceId, location, operations: operations(0, ...keys) }), 0);
  holds('a', 'LocalCPUBackend', 1n, 2n);
  holds('b', 'LocalCPUBackend', 1n);
  holds('c', 'RemoteBackend', 1n, 2n, 3n);
  holds('without P2P', 'LocalCPUBackend', 1n, 2n, 3n);
  const found = (except: string) => {
    const { peerInitUrl, chunks } = registry.peerOf([1n, 2n, 3n], except) ?? {};
    return [peerInitUrl, chunks];
  };
  assert.deepEqual(found('c'), ['a:8200', 2]);
  assert.deepEqual(found('a'), ['b:8200', 1]);
  assert.equal(registry.peerOf([3n], 'a'), undefined);
  const request = message({ type: 'BatchedP2PLookupMsg', instanceId: 'c', keys: [1n, 2n, 3n] });
  const reply = encodeLmcacheMessage(handleRequest(registry, request, 0, undefined));
  assert.deepEqual(decodeControllerReply(reply).peer, { initUrl: 'a:8200', chunks: 2 });
  const nobody = encodeLmcacheMessage(
    handleRequest(registry, { ...request, keys: [9n] }, 0, undefined),
  );
  assert.equal(decodeControllerReply(nobody).peer, undefined);
});

test('a gap in a worker’s messages makes it send all its keys with the next heartbeat, once', () => {
  const registry = new WorkerRegistry();
  registry.register(message(), 0);
  registry.operate(message({ operations: operations(0, 1n) }), 0);
  assert.equal(registry.heartbeat(message(), 1), false);
  registry.operate(message({ operations: operations(3, 2n) }), 1);
  assert.equal(registry.stats.gaps, 1);
  assert.equal(registry.heartbeat(message(), 2), true);
  assert.equal(registry.heartbeat(message(), 3), false);
});

test('a sync replaces what was known, names lost batches, and never freezes a worker for long', () => {
  const registry = new WorkerRegistry();
  const status = (nowSeconds: number) =>
    handleRequest(
      ...[registry, message({ type: 'FullSyncStatusMsg', syncId: 's' }), nowSeconds, undefined],
    ) as Record<string, unknown>;
  assert.equal(status(0).can_exit_freeze, true);
  assert.match(
    registry.startSync(message({ syncId: 's', batchCount: 2 }), 0) ?? '',
    /not registered/,
  );
  registry.register(message(), 0);
  registry.operate(message({ operations: operations(0, 9n) }), 0);
  assert.equal(registry.startSync(message({ syncId: 's', batchCount: 2 }), 0), undefined);
  registry.syncBatch(message({ syncId: 's', batchId: 1, keys: [2n] }), 0);
  registry.syncBatch(message({ syncId: 'older', batchId: 0, keys: [9n] }), 0);
  assert.deepEqual(status(1).missing_batches, [0]);
  assert.equal(status(1).can_exit_freeze, false);
  assert.equal(status(31).can_exit_freeze, true);
  registry.syncBatch(message({ syncId: 's', batchId: 0, keys: [1n] }), 0);
  assert.equal(status(32).is_complete, true);
  assert.deepEqual(chunksOf(registry, 1n, 2n), ['a 2']);
  assert.deepEqual(chunksOf(registry, 9n), []);
});

test('workers that restart, leave or fall silent hold nothing, and chunks have a bound', () => {
  const registry = new WorkerRegistry({ chunksMax: 2, silentSecondsMax: 10 });
  registry.register(message(), 0);
  registry.operate(message({ operations: operations(0, 1n, 2n, 3n) }), 0);
  assert.deepEqual(registry.stats, { chunks: 2, overflows: 1, gaps: 0 });
  registry.register(message(), 1);
  assert.deepEqual(chunksOf(registry, 1n), []);
  registry.operate(message({ operations: operations(0, 1n) }), 5);
  registry.expire(15);
  assert.deepEqual(chunksOf(registry, 1n), ['a 1']);
  registry.expire(16);
  assert.deepEqual(chunksOf(registry, 1n), []);
  assert.deepEqual(registry.stats, { chunks: 0, overflows: 1, gaps: 0 });
  // Workers beyond the bound replace those that were heard longest ago.
  for (let workerId = 0; workerId < 4100; workerId++)
    registry.register(message({ workerId }), workerId);
  assert.equal(registry.workers.length, 4096);
  assert.equal(registry.workers[0]?.workerId, 4);
});

test('the single admissions of older versions count, and bytes that are no message say so', () => {
  // {"type": "KVAdmitMsg", "instance_id": "a", "worker_id": 0, "key": -2, "location": "L"}
  const bytes = Buffer.from(
    '85a474797065aa4b5641646d69744d7367ab696e7374616e63655f6964a161a9776f726b65725f696400a36b6579fea86c6f636174696f6ea14c',
    'hex',
  );
  assert.deepEqual(decodeWorkerMessage(bytes).operations, [
    { isAdmission: true, key: -2n, sequence: 0 },
  ]);
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(
      () => decodeWorkerMessage(bytes.subarray(0, length)),
      /^MessagePackFormatError: MessagePack message cannot be read/,
    );
  }
});
