import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkStore, defaultEngineConfig, Lmcache, type LmcacheConfig } from '../engine/index.ts';
import { simulateFleet } from './index.ts';

const chunkBytes = 256 * 131_072;
const config: LmcacheConfig = {
  ...{ blocksPerChunk: 16, chunkBytes, chunkBytesPerGpu: chunkBytes, localChunksMax: 1000 },
  ...{ link: { bytesPerSecond: 50e9 }, lookupSeconds: 0, stepSeconds: 0 },
};
const first = [0, 100, 200, 300, 400, 500];
/** 16 chunks; the engines' GPUs have room for one such prompt. */
const prompt = (first: number) => Array.from({ length: 8 }, (_, i) => first + i);

/**
 * Sends six prompts, and then all of them again. Each engine has room for one on its GPU, and LMCache with host memory or, with
 * 0 chunks of that, a shared store.
 */
function play(policy: string, reportsTiers: boolean, hostChunks: number, again: readonly number[]) {
  const store = new ChunkStore({
    ...{ name: 'store', chunksMax: Number.POSITIVE_INFINITY, chunkBytes },
    ...{ read: { bytesPerSecond: 20e9 }, write: { bytesPerSecond: 20e9 } },
  });
  const engines = [0, 1, 2].map(() => ({
    config: defaultEngineConfig({ maxModelLen: 4112, numGpuBlocks: 300, blockSize: 16 }),
    cost: { stepSeconds: ({ tokens }: { tokens: number }) => 0.001 + tokens / 20_000 },
    createConnector: () =>
      new Lmcache({
        config: { ...config, localChunksMax: hostChunks },
        blockSize: 16,
        stores: hostChunks === 0 ? [store] : [],
      }),
  }));
  const ids = [...first, ...again];
  return simulateFleet({
    ...{ engines, policy, reportsTiers, traceBlockTokens: 512, seed: 1, routers: 2 },
    requests: ids.map((id, i) => ({
      ...{ arrivalSeconds: 2 * i, promptTokens: 4096, outputTokens: 2, blockIds: prompt(id) },
    })),
  });
}

for (const policy of ['predictive', 'kvaware']) {
  test(`${policy}: of two routers, each finds what the other one placed if LMCache tells them`, () => {
    // In another order, so that engines which only take turns do not get their own prompts again.
    const again = [300, 0, 500, 200, 400, 100];
    const told = loadedTokens(policy, true, 1000, again);
    const untold = loadedTokens(policy, false, 1000, again);
    assert.ok(told > 1.5 * untold, `${told} tokens loaded from host memory, ${untold} untold`);
  });
}

test('kvaware sends all prompts back to where they are in host memory', () => {
  // The last token of each is computed.
  assert.equal(loadedTokens('kvaware', true, 1000), 6 * 4095);
});

test('a shared store serves prompts wherever they go, told or not', () => {
  for (const isTold of [false, true]) {
    assert.ok(loadedTokens('predictive', isTold, 0) > 0.75 * 6 * 4095);
  }
});

function loadedTokens(
  policy: string,
  reportsTiers: boolean,
  hostChunks: number,
  again: readonly number[] = first,
): number {
  const { engines } = play(policy, reportsTiers, hostChunks, again);
  return engines.reduce((sum, { externalTokens }) => sum + externalTokens, 0);
}
