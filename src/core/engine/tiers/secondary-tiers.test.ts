import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ChunkStore,
  type ChunkStoreOptions,
  defaultEngineConfig,
  EngineModel,
  type EngineRequest,
  NativeOffload,
  nativeOffloadConfig,
} from '../index.ts';

function storeOf(options: Partial<ChunkStoreOptions> = {}): ChunkStore {
  const link = { bytesPerSecond: 4 };
  return new ChunkStore({
    ...{ name: 'disk', chunksMax: 100, chunkBytes: 4, read: link, write: link, source: 'disk' },
    ...options,
  });
}

/** Blocks of 4 tokens and 4 bytes, which take 1 s to host memory and 1 s to a store; steps take 1 s. */
function engineOf(stores: readonly ChunkStore[], chunksMax = 100) {
  const offload = nativeOffloadConfig({
    ...{ hostBytes: 1e9, blockBytesPerGpu: 4, link: { bytesPerSecond: 4 } },
  });
  const connector = new NativeOffload({
    ...{ config: { ...offload, chunksMax }, blockSize: 4, stores },
  });
  const config = defaultEngineConfig({
    ...{ blockSize: 4, numGpuBlocks: 9, maxModelLen: 32, maxNumBatchedTokens: 32, maxNumSeqs: 8 },
  });
  const hits: string[] = [];
  const engine = new EngineModel({
    ...{ config, cost: { stepSeconds: () => 1 }, connector },
    listener: {
      lookedUp: ({ request, external }) =>
        hits.push(`${request.id} ${external?.tokens} ${external?.source}`),
    },
  });
  const firsts = new Map<string, number>();
  const run = (now: number): number => {
    for (;;) {
      const step = engine.schedule(now);
      engine.audit();
      connector.audit();
      if (step) {
        now = step.endSeconds;
        engine.complete(step, ({ id }) => {
          if (!firsts.has(id)) firsts.set(id, now);
          return false;
        });
      } else if (Number.isFinite(engine.wakeSeconds)) now = engine.wakeSeconds;
      else return now;
    }
  };
  return { engine, connector, run, hits, firsts };
}

function request(id: string, text = id, promptTokens = 8): EngineRequest {
  return {
    ...{ id, promptTokens, maxTokens: 1, priority: 0, arrivalSeconds: 0 },
    blockKey: (index: number) => `${text}/${index}`,
  };
}

test('chunks in host memory are also written to the stores, and are read back through host memory', () => {
  const store = storeOf();
  const first = engineOf([store]);
  first.engine.add(request('a'));
  assert.equal(first.run(0), 5, 'computed at 1 s, in host memory at 3 s, in the store at 5 s');
  assert.deepEqual(
    first.connector.stats.tiers.map(({ name, chunks }) => `${name} ${chunks}`),
    ['cpu 2', 'disk 2'],
  );
  // Another engine has only the store in common.
  const other = engineOf([store]);
  other.engine.add(request('b', 'a'));
  other.run(10);
  assert.deepEqual(other.hits, ['b 8 disk']);
  assert.equal(other.firsts.get('b'), 15, '2 s to host memory, 2 s to the GPU, 1 s of work');
  assert.equal(other.connector.stats.tiers[0]?.chunks, 2, 'it stays in host memory');
});

test('others run while a prompt is read from a store', () => {
  const store = storeOf();
  const first = engineOf([store]);
  first.engine.add(request('a'));
  first.run(0);
  const other = engineOf([store]);
  other.engine.add(request('b', 'a'));
  other.engine.add(request('c'));
  other.run(10);
  assert.deepEqual([other.firsts.get('c'), other.firsts.get('b')], [11, 15]);
});

test('a slow store is queried once for a whole prompt', () => {
  const store = storeOf({ lookupSeconds: 0.5 });
  const first = engineOf([store]);
  first.engine.add(request('a'));
  first.run(0);
  assert.equal(first.firsts.get('a'), 1.5, 'a miss takes the time of the lookup');
  const other = engineOf([store]);
  other.engine.add(request('b', 'a'));
  other.run(10);
  assert.equal(other.firsts.get('b'), 15.5);
});

test('reads a chunk from the nearest store that has it', () => {
  const [disk, far] = [storeOf({ chunksMax: 1 }), storeOf({ name: 'object', chunkBytes: 8 })];
  const first = engineOf([disk, far]);
  first.engine.add(request('a'));
  first.run(0);
  const other = engineOf([disk, far]);
  other.engine.add(request('b', 'a'));
  other.run(20);
  assert.deepEqual(
    other.hits,
    ['b 8 disk'],
    'block 0 from the remote store, block 1 from the disk',
  );
  assert.equal(other.firsts.get('b'), 25, 'both at the same time: 2 s, not 1 + 2');
});

test('a chunk being written to a store stays in host memory', () => {
  const slow = { bytesPerSecond: 0.4 };
  const { engine, connector, run } = engineOf([storeOf({ write: slow })], 2);
  engine.add(request('a'));
  engine.add(request('b'));
  run(0);
  assert.equal(connector.stats.allocationFailures > 0, true, 'b found no space for 20 s');
});

test('refills emptied host memory from the store', () => {
  const { engine, run, hits, connector } = engineOf([storeOf()]);
  engine.add(request('a'));
  const now = run(0);
  assert.equal(engine.resetPrefixCache({ resetConnector: true }), true);
  assert.equal(connector.stats.tiers[0]?.chunks, 0);
  engine.add(request('b', 'a'));
  run(now);
  assert.equal(hits.at(-1), 'b 8 disk');
});

test('for any traffic: every request ends, and no tier holds more than its capacity', () => {
  const arrivals = fc.array(
    fc.record({ prompt: fc.integer({ min: 1, max: 30 }), family: fc.nat(2) }),
    { minLength: 1, maxLength: 15 },
  );
  fc.assert(
    fc.property(arrivals, fc.nat(6), fc.nat(8), fc.boolean(), (requests, host, disk, isSlow) => {
      const store = storeOf({ chunksMax: disk, lookupSeconds: isSlow ? 0.3 : 0 });
      const { engine, connector, run } = engineOf([store], host);
      let now = 0;
      for (const [i, { prompt, family }] of requests.entries()) {
        engine.add(request(`${i}`, `${family}`, prompt));
        if (i % 3 === 2) now = run(now);
      }
      run(now);
      assert.equal(engine.stats.finished, requests.length);
      assert.equal(engine.stats.blocksUsed, 0);
      const [cpu, below] = connector.stats.tiers;
      assert.ok((cpu?.chunks ?? 0) <= host && (below?.chunks ?? 0) <= disk);
    }),
  );
});

test('a prompt whose lookup is under way when the tiers are emptied is found in the store after it', () => {
  const store = storeOf({ lookupSeconds: 0.5 });
  const first = engineOf([store]);
  first.engine.add(request('a'));
  first.run(0);
  const other = engineOf([store]);
  other.engine.add(request('b', 'a'));
  assert.equal(other.engine.schedule(10), undefined);
  assert.equal(other.engine.wakeSeconds, 10.5);
  other.engine.resetPrefixCache({ resetConnector: true });
  assert.equal(other.engine.wakeSeconds, 10.5);
  other.run(10);
  assert.deepEqual(other.hits, ['b 8 disk']);
});

test('chunks on their way to host memory when it is emptied do not arrive there', () => {
  const store = storeOf();
  const first = engineOf([store]);
  first.engine.add(request('a'));
  first.run(0);
  const other = engineOf([store]);
  other.engine.add(request('b', 'a'));
  assert.equal(other.engine.schedule(10), undefined, 'it is read from the store');
  other.engine.abort('b');
  other.engine.resetPrefixCache({ resetConnector: true });
  assert.equal(other.engine.wakeSeconds, Number.POSITIVE_INFINITY);
  assert.equal(other.connector.stats.tiers[0]?.chunks, 0);
});
