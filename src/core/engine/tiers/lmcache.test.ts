import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ChunkStore,
  defaultEngineConfig,
  type EngineConfig,
  EngineModel,
  type EngineRequest,
  findGpu,
  findModel,
  type KvConnector,
  Lmcache,
  lmcacheFor,
  type TierListener,
} from '../index.ts';
import { Sequence } from '../sequence.ts';

/** Blocks of 4 tokens, chunks of 2 blocks and 8 bytes; links of 8 bytes per second; steps take 1 s. */
function engineOf(
  settings: {
    localChunks?: number;
    lookupSeconds?: number;
    stepSeconds?: number;
    stores?: ChunkStore[];
    listener?: TierListener;
  } = {},
  config: Partial<EngineConfig> = {},
) {
  const connector = new Lmcache({
    blockSize: 4,
    config: {
      ...{ blocksPerChunk: 2, chunkBytes: 8, chunkBytesPerGpu: 8 },
      ...{
        link: { bytesPerSecond: 8 },
        lookupSeconds: settings.lookupSeconds ?? 0,
        stepSeconds: settings.stepSeconds ?? 0,
      },
      localChunksMax: settings.localChunks ?? 100,
    },
    stores: settings.stores ?? [],
    listener: settings.listener ?? {},
  });
  return { connector, ...modelOf(config, connector) };
}

function modelOf(config: Partial<EngineConfig>, connector?: KvConnector) {
  const engine = new EngineModel({
    config: defaultEngineConfig({
      ...{ blockSize: 4, numGpuBlocks: 9, maxModelLen: 32, maxNumBatchedTokens: 32, maxNumSeqs: 8 },
      ...config,
    }),
    cost: { stepSeconds: () => 1 },
    connector,
  });
  const log: string[] = [];
  const run = (now: number): number => {
    for (let step = engine.schedule(now); step; step = engine.schedule(now)) {
      engine.audit();
      const line = step.requests.map(({ id }, i) => `${id}:${step.scheduledTokens[i]}`);
      log.push(`${step.startSeconds}-${step.endSeconds} ${line.join(' ')}`);
      now = step.endSeconds;
      engine.complete(step, () => false);
    }
    return now;
  };
  return { engine, run, log };
}

function request(id: string, settings: Partial<EngineRequest> & { text?: string } = {}) {
  const { text = id, ...rest } = settings;
  return {
    ...{ id, promptTokens: 16, maxTokens: 1, priority: 0, arrivalSeconds: 0 },
    blockKey: (index: number) => `${text}/${index}`,
    ...rest,
  };
}

test('a step waits for the copy of the prompt chunks that it completes; outputs are not saved', () => {
  const { engine, connector, run, log } = engineOf();
  engine.add(request('a', { promptTokens: 20, maxTokens: 9 }));
  run(0);
  assert.equal(log[0], '0-3 a:20', '1 s of work, two whole chunks of 1 s each');
  assert.equal(log[1], '3-4 a:1');
  assert.equal(connector.stats.stores.bytes, 16);
  assert.deepEqual(connector.stats.tiers, [
    { name: 'cpu', chunks: 2, chunksMax: 100, bytes: 16, writingShare: 0, readingShare: 0 },
  ]);
});

test('loads evicted chunks within the step, which delays the whole batch', () => {
  const { engine, run, log } = engineOf();
  engine.add(request('a'));
  engine.add(request('b', { promptTokens: 31 }));
  const now = run(5);
  log.length = 0;
  engine.add(request('c', { text: 'a' }));
  engine.add(request('d', { promptTokens: 4 }));
  run(now);
  assert.equal(log[0], `${now}-${now + 3} c:1 d:4`, 'two chunks of 1 s each before 1 s of work');
  assert.equal(
    engine.stats.externalCacheHits,
    15,
    'all but the last token, which is always computed',
  );
});

test('a lookup takes time once, however long the request waits', () => {
  const { engine, run, log } = engineOf({ lookupSeconds: 0.5, localChunks: 0 });
  engine.add(request('a', { promptTokens: 30, maxTokens: 2 }));
  engine.add(request('b', { promptTokens: 30 }));
  run(0);
  assert.deepEqual(
    log.map((line) => line.split(' ')[0]),
    ['0-2', '2-3', '3-4'],
    'both are looked up in the first step, none later',
  );
});

test('adds the connector’s own cost to every step, except steps with nothing to run', () => {
  const { engine, run, log } = engineOf({ stepSeconds: 0.25, localChunks: 0 });
  engine.add(request('a', { maxTokens: 3 }));
  run(0);
  assert.deepEqual(
    log.map((line) => line.split(' ')[0]),
    ['0-1.25', '1.25-2.5', '2.5-3.75'],
  );
});

test('engines share a chunk of a store once it is written', () => {
  const store = new ChunkStore({
    ...{ name: 'server', chunksMax: 100, chunkBytes: 8 },
    ...{ read: { bytesPerSecond: 4 }, write: { bytesPerSecond: 4 } },
  });
  const first = engineOf({ stores: [store] });
  first.engine.add(request('a'));
  assert.equal(first.run(0), 3, 'the write to the store is not waited for');
  const early = engineOf({ stores: [store] });
  early.engine.add(request('b', { text: 'a' }));
  early.run(4);
  assert.equal(early.engine.stats.externalCacheHits, 0, 'the copy there ends at 3 + 2 · 2 s');
  const late = engineOf({ stores: [store] });
  late.engine.add(request('c', { text: 'a' }));
  late.run(20);
  assert.equal(late.engine.stats.externalCacheHits, 15);
  assert.equal(late.log[0], '20-27 c:1', '4 s from the server, 2 s to the GPU, 1 s of work');
});

test('a hit is labelled with its place: host memory, or the store that holds the last of it', () => {
  const link = { bytesPerSecond: 8 };
  const store = new ChunkStore({
    ...{ name: 'disk', chunksMax: 100, chunkBytes: 8, read: link, write: link, source: 'disk' },
  });
  const { engine, run, connector } = engineOf({ stores: [store] });
  engine.add(request('a'));
  run(0);
  const again = new Sequence(request('again', { text: 'a' }));
  assert.equal(connector.lookup(again, 0, 10)?.source, 'host');
  const other = engineOf({ stores: [store] }).connector;
  assert.equal(other.lookup(again, 0, 10)?.source, 'disk');
});

test('the write to a store begins after the whole step, with what precedes its work', () => {
  const store = new ChunkStore({
    ...{ name: 'server', chunksMax: 100, chunkBytes: 8 },
    ...{ read: { bytesPerSecond: 8 }, write: { bytesPerSecond: 8 } },
  });
  const { engine, run } = engineOf({ stores: [store], lookupSeconds: 10 });
  engine.add(request('a'));
  assert.equal(run(0), 13, 'the lookup takes 10 s, the work 1 s, the copy of two chunks 2 s');
  assert.equal(store.has('a/3', 14.9), false, 'both are written by 15 s');
  assert.equal(store.has('a/3', 15), true);
});

test('announces stored chunks in the order of the prompt', () => {
  const stored: string[] = [];
  const { engine, run } = engineOf({
    listener: { stored: (keys, medium) => stored.push(`${medium} ${keys.join(' ')}`) },
  });
  engine.add(request('a', { promptTokens: 24 }));
  run(0);
  assert.deepEqual(stored, ['CPU a/1 a/3 a/5']);
});

test('a lost store only causes misses, and it is empty when it returns', () => {
  const store = new ChunkStore({
    ...{ name: 'server', chunksMax: 100, chunkBytes: 8 },
    ...{ read: { bytesPerSecond: 1e9 }, write: { bytesPerSecond: 1e9 } },
    outage: { fromSeconds: 10, untilSeconds: 20 },
  });
  const hitsAt = (now: number) => {
    const { engine, run } = engineOf({ stores: [store] });
    engine.add(request(`at ${now}`, { text: 'a' }));
    run(now);
    return engine.stats.externalCacheHits;
  };
  assert.deepEqual([0, 8, 12, 25, 35].map(hitsAt), [0, 15, 0, 0, 15]);
});

test('with latent attention one copy of the values is kept, which every GPU has', () => {
  const [model, gpu] = [findModel('deepseek-ai/DeepSeek-V3'), findGpu('H200')];
  const config = lmcacheFor({ model, gpu, tensorParallelSize: 8 }, { hostBytes: 0, blockSize: 64 });
  // 61 layers of 512 + 64 values of 2 bytes.
  assert.equal(config.chunkBytesPerGpu, 256 * 61 * 576 * 2);
  assert.equal(config.chunkBytes, config.chunkBytesPerGpu);
});

test('256 tokens of Llama-3.1-8B are 32 MiB at any tensor parallelism', () => {
  const [model, gpu] = [findModel('Llama-3.1-8B'), findGpu('H100')];
  const settings = { hostBytes: 2 ** 30, blockSize: 16 };
  for (const tensorParallelSize of [1, 2, 4]) {
    const config = lmcacheFor({ model, gpu, tensorParallelSize }, settings);
    assert.equal(config.chunkBytes, 32 * 2 ** 20);
    assert.equal(config.chunkBytesPerGpu, (32 * 2 ** 20) / tensorParallelSize);
    assert.deepEqual([config.blocksPerChunk, config.localChunksMax], [16, 32]);
    assert.deepEqual([config.lookupSeconds, config.stepSeconds], [0.0005, 0.00043]);
    assert.deepEqual(config.link, { bytesPerSecond: 50e9 });
  }
  const single = lmcacheFor({ model, gpu }, { ...settings, hostBytes: 2 ** 30 - 1 });
  assert.equal(single.chunkBytesPerGpu, 32 * 2 ** 20);
  assert.equal(single.localChunksMax, 31, 'only whole chunks fit');
  assert.equal(lmcacheFor({ model, gpu }, { ...settings, hostBytes: 0 }).localChunksMax, 0);
  assert.throws(() => lmcacheFor({ model, gpu }, { ...settings, hostBytes: -1 }), /negative/);
});

const arrivals = fc.array(
  fc.record({
    prompt: fc.integer({ min: 1, max: 30 }),
    output: fc.integer({ min: 1, max: 12 }),
    family: fc.nat(2),
    shared: fc.nat(7),
  }),
  { minLength: 1, maxLength: 20 },
);

test('for any traffic: every request ends, no hit exceeds its prompt, no block is lost', () => {
  fc.assert(
    fc.property(arrivals, fc.nat(6), fc.nat(6), (requests, localChunks, remoteChunks) => {
      const store = new ChunkStore({
        ...{ name: 'server', chunksMax: remoteChunks, chunkBytes: 8 },
        ...{ read: { bytesPerSecond: 4 }, write: { bytesPerSecond: 4 } },
      });
      const { engine, run, connector } = engineOf({ localChunks, stores: [store] });
      addAll(engine, requests);
      run(0);
      assert.equal(engine.stats.finished, requests.length);
      assert.equal(engine.stats.blocksUsed, 0);
      assert.ok(engine.stats.externalCacheHits <= engine.stats.externalCacheQueries);
      const [cpu, server] = connector.stats.tiers;
      assert.ok((cpu?.chunks ?? 0) <= localChunks && (server?.chunks ?? 0) <= remoteChunks);
    }),
  );
});

test('without capacity and without lookup time it changes nothing at all', () => {
  fc.assert(
    fc.property(arrivals, (requests) => {
      const without = modelOf({});
      const empty = engineOf({ localChunks: 0 });
      for (const { engine, run } of [without, empty]) {
        addAll(engine, requests);
        run(0);
      }
      assert.deepEqual(empty.log, without.log);
    }),
  );
});

function addAll(
  engine: EngineModel,
  requests: readonly { prompt: number; output: number; family: number; shared: number }[],
): void {
  for (const [i, { prompt, output, family, shared }] of requests.entries()) {
    engine.add({
      ...request(`r${i}`, { promptTokens: prompt, maxTokens: output }),
      blockKey: (index) => (index < shared ? `f${family}/${index}` : `r${i}/${index}`),
    });
  }
}

test('a reset empties host memory and the stores, and a request saves its chunks again', () => {
  const store = new ChunkStore({
    ...{ name: 'server', chunksMax: 10, chunkBytes: 8, lookupSeconds: 0.25 },
    ...{ read: { bytesPerSecond: 8 }, write: { bytesPerSecond: 8 } },
  });
  const { engine, connector, run } = engineOf({ stores: [store] });
  engine.add(request('a'));
  const end = run(0);
  assert.deepEqual(
    connector.stats.tiers.map(({ chunks }) => chunks),
    [2, 2],
  );
  connector.reset();
  assert.deepEqual(
    connector.stats.tiers.map(({ chunks }) => chunks),
    [0, 0],
  );
  engine.resetPrefixCache({ resetRunningRequests: true });
  engine.add(request('b', { text: 'a' }));
  run(end);
  assert.deepEqual(
    connector.stats.tiers.map(({ chunks }) => chunks),
    [2, 2],
  );
});

test('each store queried for a chunk takes time, until one has it', () => {
  const storeOf = (lookupSeconds: number) =>
    new ChunkStore({
      ...{ name: 's', chunksMax: 10, chunkBytes: 8, lookupSeconds },
      ...{ read: { bytesPerSecond: 8e6 }, write: { bytesPerSecond: 8e6 } },
    });
  const waits = (stores: ChunkStore[], lookupSeconds = 0) => {
    const { engine, run } = engineOf({ stores, lookupSeconds, localChunks: 0 });
    engine.add(request('a', { promptTokens: 8 }));
    return run(0);
  };
  const one = waits([storeOf(0)]);
  assert.ok(Math.abs(waits([storeOf(0.25)]) - one - 0.25) < 1e-9);
  const two = waits([storeOf(0), storeOf(0)]);
  assert.ok(Math.abs(waits([storeOf(0.25), storeOf(0.5)], 0.125) - two - 0.875) < 1e-9);
});
