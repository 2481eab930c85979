import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ChunkStore,
  defaultEngineConfig,
  EngineModel,
  type EngineRequest,
  type KvConnector,
  Lmcache,
  NativeOffload,
  nativeOffloadConfig,
  onlyCheaperLoads,
} from '../index.ts';

/** Computing a prompt token takes a second, a decode step one second. */
const cost = {
  stepSeconds: ({
    prefillTokens,
    decodeSequences,
  }: {
    prefillTokens: number;
    decodeSequences: number;
  }) => prefillTokens + (decodeSequences > 0 ? 1 : 0),
};

/** @param bytesPerSecond Rate of the link; blocks of 4 tokens have 4 bytes. */
function native(bytesPerSecond: number): KvConnector {
  const config = nativeOffloadConfig({
    ...{ hostBytes: 1e9, blockBytesPerGpu: 4, link: { bytesPerSecond } },
  });
  return new NativeOffload({ config: { ...config, chunksMax: 100 }, blockSize: 4 });
}

/** A pool of 6 blocks, in which two requests of 12 and 13 tokens cannot both grow by 8 tokens. */
function play(connector: KvConnector) {
  const config = defaultEngineConfig({
    ...{ blockSize: 4, numGpuBlocks: 9, maxModelLen: 32, maxNumBatchedTokens: 32, maxNumSeqs: 8 },
  });
  const resumed: number[] = [];
  const engine = new EngineModel({
    ...{ config, cost, connector },
    listener: { resumed: (_request, foundTokens) => resumed.push(foundTokens) },
  });
  for (const id of ['a', 'b']) engine.add(request(id));
  let now = 0;
  for (;;) {
    const step = engine.schedule(now);
    engine.audit();
    if (step) {
      now = step.endSeconds;
      engine.complete(step, () => false);
    } else if (Number.isFinite(engine.wakeSeconds)) now = engine.wakeSeconds;
    else break;
  }
  return { ...engine.stats, resumed, now };
}

function request(id: string): EngineRequest {
  return {
    ...{ id, promptTokens: 12, maxTokens: 12, priority: 0, arrivalSeconds: 0 },
    blockKey: (index: number) => `${id}/${index}`,
  };
}

test('restores a preempted request from the tier if that is cheaper, and recomputes it otherwise', () => {
  for (const isFast of [true, false]) {
    const plain = play(native(isFast ? 100 : 0.25));
    const choosy = play(onlyCheaperLoads({ connector: native(isFast ? 100 : 0.25), cost }));
    assert.equal(plain.preemptions, 1);
    assert.deepEqual([plain.finished, choosy.finished], [2, 2]);
    if (isFast)
      assert.deepEqual(choosy.resumed, plain.resumed, 'the same as without the comparison');
    else {
      assert.ok((plain.resumed[0] as number) > (choosy.resumed[0] as number));
      assert.ok(choosy.now < plain.now, `${choosy.now} s, with the load ${plain.now} s`);
    }
  }
});

test('does not load from a store that is slower than the GPU', () => {
  const hitsWith = (bytesPerSecond: number) => {
    const link = { bytesPerSecond };
    const store = new ChunkStore({
      ...{
        name: 'server',
        chunksMax: 100,
        chunkBytes: 8,
        read: link,
        write: { bytesPerSecond: 1e9 },
      },
    });
    const connector = () =>
      onlyCheaperLoads({
        connector: new Lmcache({
          blockSize: 4,
          config: {
            ...{ blocksPerChunk: 2, chunkBytes: 8, chunkBytesPerGpu: 8, localChunksMax: 0 },
            ...{ link: { bytesPerSecond: 1e9 }, lookupSeconds: 0, stepSeconds: 0 },
          },
          stores: [store],
        }),
        cost,
      });
    const config = defaultEngineConfig({ blockSize: 4, numGpuBlocks: 9, maxModelLen: 32 });
    for (const [id, now] of [
      ['first', 0],
      ['second', 100],
    ] as const) {
      const engine = new EngineModel({ config, cost, connector: connector() });
      engine.add({ ...request(id), maxTokens: 1, blockKey: (index) => `${index}` });
      const step = engine.schedule(now);
      if (id === 'second') return engine.stats.externalCacheHits;
      if (step) engine.complete(step, () => false);
    }
    return undefined;
  };
  assert.deepEqual([hitsWith(100), hitsWith(0.5)], [8, 0]);
});
