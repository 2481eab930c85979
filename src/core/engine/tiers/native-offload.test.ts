import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  defaultEngineConfig,
  type EngineConfig,
  type EngineListener,
  EngineModel,
  type EngineRequest,
  NativeOffload,
  type NativeOffloadSettings,
  nativeOffloadConfig,
  type TierListener,
} from '../index.ts';

/** One byte per token and one byte per second, so a block of 4 tokens takes 4 s; steps take 1 s. */
function engineOf(
  settings: Partial<EngineConfig> = {},
  tier: Partial<NativeOffloadSettings> & { chunksMax?: number } = {},
  listener: EngineListener & TierListener = {},
) {
  const config = defaultEngineConfig({
    ...{ blockSize: 4, numGpuBlocks: 9, maxModelLen: 32, maxNumBatchedTokens: 32, maxNumSeqs: 8 },
    ...settings,
  });
  const { chunksMax = 100, ...rest } = tier;
  const offload = nativeOffloadConfig({
    ...{ hostBytes: 1e9, blockBytesPerGpu: 4, link: { bytesPerSecond: 1 } },
    ...rest,
  });
  const connector = new NativeOffload({
    ...{ config: { ...offload, chunksMax }, blockSize: 4, listener },
  });
  const cost = { stepSeconds: () => 1 };
  const engine = new EngineModel({ config, cost, listener, connector });
  const log: string[] = [];
  /** Runs until nothing is left to do and no transfer is in progress. */
  const run = (now: number): number => {
    for (;;) {
      const planned = engine.schedule(now);
      engine.audit();
      connector.audit();
      if (planned) {
        const line = planned.requests.map(({ id }, i) => `${id}:${planned.scheduledTokens[i]}`);
        log.push(`${planned.startSeconds}-${planned.endSeconds} ${line.join(' ')}`);
        now = planned.endSeconds;
        engine.complete(planned, () => false);
        engine.audit();
      } else if (Number.isFinite(engine.wakeSeconds)) now = engine.wakeSeconds;
      else return now;
    }
  };
  return { engine, connector, run, log };
}

function request(id: string, settings: Partial<EngineRequest> & { text?: string } = {}) {
  const { text = id, ...rest } = settings;
  return {
    ...{ id, promptTokens: 8, maxTokens: 1, priority: 0, arrivalSeconds: 0 },
    blockKey: (index: number) => `${text}/${index}`,
    ...rest,
  };
}

test('adds the cost of offloading itself to every step', () => {
  const { engine, run, log } = engineOf({}, { stepSeconds: 0.5 });
  engine.add(request('a', { maxTokens: 3 }));
  run(0);
  assert.deepEqual(
    log.map((line) => line.split(' ')[0]),
    ['0-1.5', '1.5-3', '3-4.5'],
  );
});

test('copies full prompt blocks to the host after the step that computes them', () => {
  const events: string[] = [];
  const { engine, connector, run, log } = engineOf(
    {},
    {},
    {
      stored: (keys, medium) => events.push(`${medium} ${keys.join(' ')}`),
      transferred: (direction, bytes, seconds) =>
        events.push(`${direction} ${bytes} B ${seconds} s`),
    },
  );
  engine.add(request('a', { promptTokens: 10, maxTokens: 4 }));
  assert.equal(run(0), 9, 'the step ends at 1 s, two blocks follow at 4 s each');
  assert.deepEqual(log, ['0-1 a:10', '1-2 a:1', '2-3 a:1', '3-4 a:1']);
  assert.deepEqual(events, ['store 8 B 8 s', 'CPU a/0 a/1'], 'generated tokens are excluded');
  assert.deepEqual(connector.stats.tiers[0]?.chunks, 2);
});

test('loads evicted blocks while others run, and recomputes the last token', () => {
  const { engine, run, log } = engineOf();
  engine.add(request('a'));
  const now = run(0);
  // Takes all eight blocks, so that no block of `a` stays on the GPU.
  engine.add(request('b', { promptTokens: 31 }));
  const later = run(now);
  log.length = 0;
  engine.add(request('c', { text: 'a' }));
  engine.add(request('d', { promptTokens: 4, maxTokens: 3 }));
  run(later);
  assert.deepEqual(
    log.map((line) => line.split(' ').slice(1).join(' ')),
    ['d:4', 'd:1', 'd:1', 'c:1'],
  );
  const { externalCacheQueries, externalCacheHits, prefixCacheHits } = engine.stats;
  assert.deepEqual(
    { externalCacheQueries, externalCacheHits, prefixCacheHits },
    { externalCacheQueries: 8 + 31 + 8 + 4, externalCacheHits: 8, prefixCacheHits: 0 },
  );
  assert.equal(log[3], `${later + 8}-${later + 9} c:1`, 'two blocks at 4 s each');
});

test('a request waits for another one that loads the same blocks, and then finds them on the GPU', () => {
  const { engine, connector, run } = engineOf();
  engine.add(request('a', { promptTokens: 10 }));
  let now = run(0);
  engine.add(request('b', { promptTokens: 31 }));
  now = run(now);
  engine.add(request('c', { text: 'a', promptTokens: 10 }));
  engine.add(request('d', { text: 'a', promptTokens: 10 }));
  assert.equal(engine.schedule(now), undefined);
  const { waiting, deferred, loading } = engine.stats;
  assert.deepEqual({ waiting, deferred, loading }, { waiting: 2, deferred: 2, loading: 1 });
  run(now);
  assert.equal(connector.stats.loads.transfers, 1);
  assert.equal(engine.stats.prefixCacheHits, 8);
});

test('loads the last block of a fully cached, aligned prompt again, as vLLM does', () => {
  const { engine, connector, run } = engineOf();
  engine.add(request('a'));
  const now = run(0);
  engine.add(request('b', { text: 'a' }));
  run(now);
  const { prefixCacheHits, externalCacheHits } = engine.stats;
  assert.deepEqual([prefixCacheHits, externalCacheHits], [4, 4]);
  assert.equal(connector.stats.loads.bytes, 4);
});

test('restores the prompt of a preempted request from the host', () => {
  const resumed: number[] = [];
  const { engine, run } = engineOf(
    { numGpuBlocks: 9 },
    { link: { bytesPerSecond: 4 } },
    { resumed: (_request, cachedTokens) => resumed.push(cachedTokens) },
  );
  engine.add(request('a', { promptTokens: 15, maxTokens: 15 }));
  engine.add(request('b', { promptTokens: 15, maxTokens: 15 }));
  run(0);
  assert.equal(engine.stats.preemptions, 1);
  assert.deepEqual(resumed, [12]);
  const { externalCacheHits, restoredTokens } = engine.stats;
  assert.deepEqual(
    { externalCacheHits, restoredTokens },
    { externalCacheHits: 0, restoredTokens: 12 },
  );
});

test('a step that overwrites blocks still being copied waits for the copy', () => {
  const { engine, run, log } = engineOf();
  engine.add(request('a', { promptTokens: 31 }));
  engine.add(request('b', { promptTokens: 31 }));
  const now = run(0);
  // Seven blocks of `a` are copied from 1 s to 29 s; `b` needs all eight.
  assert.deepEqual(log, ['0-1 a:31', '1-30 b:31']);
  assert.equal(now, 30 + 28, 'those of `b` are copied after that step');
});

test('frees the blocks of a request that leaves during its load only when the load is done', () => {
  const { engine, run } = engineOf();
  engine.add(request('a'));
  let now = run(0);
  engine.add(request('b', { promptTokens: 31 }));
  now = run(now);
  engine.add(request('c', { text: 'a' }));
  assert.equal(engine.schedule(now), undefined);
  assert.equal(engine.abort('c'), true);
  assert.equal(engine.stats.blocksUsed, 2);
  assert.equal(engine.resetPrefixCache(), false);
  run(now);
  assert.equal(engine.stats.blocksUsed, 0);
  assert.equal(engine.resetPrefixCache({ resetConnector: true }), true);
});

test('postpones a store to the next step if all chunks of a full pool are in transfer', () => {
  const { engine, connector, run } = engineOf({ numGpuBlocks: 20 }, { chunksMax: 2 });
  engine.add(request('a'));
  engine.add(request('b', { maxTokens: 12 }));
  run(0);
  assert.ok(connector.stats.allocationFailures > 0);
  assert.equal(connector.stats.stores.transfers, 2, 'b is stored once a is');
});

test('reports which share of the pool its transfers pin', () => {
  const { engine, connector, run } = engineOf({}, { chunksMax: 8 });
  const sharesNow = () => {
    const { writingShare, readingShare } = connector.stats.tiers[0] ?? assert.fail();
    return [writingShare, readingShare];
  };
  engine.add(request('a'));
  engine.complete(engine.schedule(0) ?? assert.fail(), () => false);
  assert.deepEqual(sharesNow(), [2 / 8, 0]);
  let now = run(1);
  engine.add(request('filler', { promptTokens: 31 }));
  now = run(now);
  engine.add(request('again', { text: 'a' }));
  assert.equal(engine.schedule(now), undefined);
  assert.deepEqual(sharesNow(), [0, 1 / 8], 'the filler has evicted one of two');
  const none = engineOf({}, { chunksMax: 0 }).connector.stats.tiers[0];
  assert.deepEqual([none?.writingShare, none?.readingShare], [0, 0]);
});

test('with a store threshold, stores only chunks that are offered again', () => {
  const { engine, connector, run } = engineOf(
    { enablePrefixCaching: false },
    { storeThreshold: 2 },
  );
  engine.add(request('a'));
  let now = run(0);
  assert.deepEqual([connector.stats.storesSkipped, connector.stats.stores.transfers], [2, 0]);
  engine.add(request('b', { text: 'a' }));
  now = run(now);
  assert.deepEqual([connector.stats.storesSkipped, connector.stats.stores.transfers], [2, 1]);
});

test('a store that finds no space asks for it again in each step, as vLLM does', () => {
  const asked: number[] = [];
  const { engine, connector, run } = engineOf(
    {},
    { chunksMax: 0 },
    { allocating: (chunks) => asked.push(chunks) },
  );
  engine.add(request('a', { maxTokens: 3 }));
  run(0);
  assert.deepEqual(asked, [2, 2, 2, 2], 'three steps, and the end of the request');
  assert.equal(connector.stats.allocationFailures, 4);
});

test('with a store threshold, a step that finds no space counts as an offer', () => {
  const asked: number[] = [];
  const { engine, run } = engineOf(
    { enablePrefixCaching: false },
    { storeThreshold: 2, chunksMax: 0 },
    { allocating: (chunks) => asked.push(chunks) },
  );
  engine.add(request('first half', { text: 'a', promptTokens: 4 }));
  const now = run(0);
  assert.deepEqual(asked, []);
  engine.add(request('whole', { text: 'a', maxTokens: 2 }));
  run(now);
  assert.deepEqual(asked, [1, 2, 2], 'in the first step, the second half is offered only once');
});

test('announces the blocks that it stores, by their place in the prompt, without those that it has', () => {
  const announced: string[] = [];
  const { engine, run } = engineOf(
    { enablePrefixCaching: false },
    { blocksPerChunk: 2 },
    {
      storing: ({ request: { id } }, firstBlock, blocks, key) =>
        announced.push(`${id} ${firstBlock}+${blocks} ${key}`),
    },
  );
  const shared = (id: string) => (index: number) => `${index < 2 ? 'a' : id}/${index}`;
  engine.add(request('a', { promptTokens: 17, blockKey: shared('a') }));
  const now = run(0);
  engine.add(request('b', { promptTokens: 25, blockKey: shared('b') }));
  run(now);
  assert.deepEqual(announced, ['a 0+2 a/1', 'a 2+2 a/3', 'b 2+2 b/3', 'b 4+2 b/5']);
});

test('an idle engine stores what found no space before, without the cost of a step', () => {
  const { engine, connector } = engineOf({}, { chunksMax: 2, stepSeconds: 0.5 });
  engine.add(request('a'));
  engine.add(request('b'));
  engine.complete(engine.schedule(0) ?? assert.fail(), () => false);
  assert.equal(engine.wakeSeconds, 9.5, 'two blocks of `a` take 8 s after a step of 1.5 s');
  assert.equal(engine.schedule(9.5), undefined);
  assert.equal(engine.wakeSeconds, 17.5, 'those of `b` follow at once');
  assert.equal(connector.stats.stores.transfers, 1);
});

test('a request that lacks blocks to load its prompt into is counted until it has them', () => {
  const { engine, run } = engineOf();
  engine.add(request('a'));
  let now = run(0);
  engine.add(request('filler', { promptTokens: 31 }));
  now = run(now);
  engine.add(request('busy', { promptTokens: 25, maxTokens: 2 }));
  const step = engine.schedule(now) ?? assert.fail();
  assert.equal(engine.stats.waitingToLoad, 0);
  engine.complete(step, () => false);
  engine.add(request('again', { text: 'a' }));
  const next = engine.schedule(step.endSeconds) ?? assert.fail();
  assert.equal(engine.stats.waitingToLoad, 1, 'one block of eight is free, and it needs two');
  engine.complete(next, () => false);
  run(next.endSeconds);
  assert.equal(engine.stats.waitingToLoad, 0);
});

test('finds chunks of several blocks completely or not at all', () => {
  const { engine, connector, run } = engineOf({}, { blocksPerChunk: 2 });
  engine.add(request('a', { promptTokens: 13 }));
  let now = run(0);
  assert.equal(connector.stats.tiers[0]?.chunks, 1, 'three full blocks contain one chunk of two');
  engine.add(request('b', { promptTokens: 31 }));
  now = run(now);
  engine.add(request('c', { text: 'a', promptTokens: 13 }));
  run(now);
  assert.equal(engine.stats.externalCacheHits, 8);
});

test('sizes the pool as vLLM does: chunks rounded up to a page', () => {
  const common = { link: { bytesPerSecond: 1 }, blockBytesPerGpu: 3_000_000, gpus: 2 };
  const config = nativeOffloadConfig({ ...common, hostBytes: 2 ** 30 });
  assert.equal(config.chunkBytes, 1465 * 4096);
  assert.equal(config.chunksMax, Math.floor(2 ** 30 / (1465 * 4096)));
  const replicated = nativeOffloadConfig({ ...common, hostBytes: 2 ** 30, isReplicated: true });
  assert.equal(replicated.chunksMax, Math.floor(2 ** 30 / (733 * 4096)));
  assert.throws(() => nativeOffloadConfig({ ...common, hostBytes: 0 }), /must be more than 0/);
  for (const blocksPerChunk of [0, 1.5]) {
    assert.throws(
      () => nativeOffloadConfig({ ...common, hostBytes: 1, blocksPerChunk }),
      /blocks_per_chunk is [\d.]+; it must be a whole number of at least 1/,
    );
  }
  assert.ok(!('trackedMax' in config), 'by default, the pool decides how many offers are counted');
  assert.equal(nativeOffloadConfig({ ...common, hostBytes: 1, trackedMax: 7 }).trackedMax, 7);
  assert.throws(
    () => nativeOffloadConfig({ ...common, hostBytes: 1, eviction: 'fifo' }),
    /eviction_policy "fifo" is not known; known: lru, arc/,
  );
});

test('once nothing runs, schedules a loaded request before the first one if it holds the blocks that the first one lacks', () => {
  const { engine, run, log } = engineOf({
    ...{ schedulingPolicy: 'priority', maxNumSeqs: 1, schedulerReserveFullIsl: false },
  });
  let now = 0;
  for (const text of ['a', 'b', 'filler', 'filler again']) {
    engine.add(request(text, { promptTokens: text.length > 1 ? 31 : 8 }));
    now = run(now);
  }
  log.length = 0;
  // Loads two blocks while the only place in the batch is in use.
  engine.add(request('short', { text: 'a', priority: 1 }));
  engine.add(request('busy', { promptTokens: 1, maxTokens: 2, priority: 2 }));
  const step = engine.schedule(now) ?? assert.fail();
  engine.complete(step, () => true);
  // Loads two more, and then lacks six of eight.
  const blockKey = (index: number) => (index < 2 ? `b/${index}` : `long/${index}`);
  engine.add(request('long', { promptTokens: 31, blockKey }));
  engine.add(request('busy too', { promptTokens: 1, maxTokens: 20, priority: 2 }));
  run(step.endSeconds);
  const order = new Set(log.map((line) => line.split(' ')[1]?.split(':')[0]));
  assert.deepEqual([...order], ['busy', 'short', 'long']);
  assert.equal(engine.stats.waiting, 0);
});

test('a chunk that found no space is stored after its request has ended, and its blocks are not overwritten before', () => {
  const { engine, connector, run, log } = engineOf({}, { chunksMax: 2 });
  engine.add(request('a'));
  engine.add(request('b'));
  const first = engine.schedule(0) ?? assert.fail();
  engine.complete(first, () => false);
  assert.equal(connector.stats.allocationFailures, 1, 'both chunks of the pool are being written');
  // Those of `a` are copied from 1 s to 9 s; the next step then stores those of `b`, from 10 s to 18 s.
  engine.add(request('c', { promptTokens: 1 }));
  const second = engine.schedule(9) ?? assert.fail();
  engine.complete(second, () => false);
  assert.equal(second.endSeconds, 10);
  engine.add(request('d', { promptTokens: 31 }));
  run(10);
  assert.equal(log[0], '10-19 d:31', 'it needs all blocks, so it waits for the copy');
  assert.equal(connector.stats.stores.transfers, 2);
});

test('while another request runs, a loaded one leaves the blocks of the watermark free', () => {
  const { engine, run, log } = engineOf({ watermark: 0.25 }, { link: { bytesPerSecond: 4 } });
  engine.add(request('a'));
  let now = run(0);
  engine.add(request('filler', { promptTokens: 31 }));
  now = run(now);
  log.length = 0;
  // It holds two of eight blocks while they are loaded for 2 s; `long` takes five, and two are to stay free.
  engine.add(request('loaded', { text: 'a' }));
  engine.add(request('long', { promptTokens: 17, maxTokens: 8 }));
  run(now);
  assert.deepEqual(
    log.slice(-2).map((line) => line.split(' ')[1]),
    ['long:1', 'loaded:1'],
    'it runs once the other has ended',
  );
});
