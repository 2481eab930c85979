// Tiers under a fleet: what a private and a shared one give, in the engine models themselves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomInteger, seededRandom } from '../base/index.ts';
import {
  ChunkStore,
  defaultEngineConfig,
  findGpu,
  findModel,
  type KvConnector,
  NativeOffload,
  nativeOffloadConfig,
  rooflineCost,
} from '../engine/index.ts';
import { simulateFleet } from './fleet.ts';
import type { SimulatedRequest } from './fleet-options.ts';

const traceBlockTokens = 64;
const blockSize = 64;
const promptBlocks = 8;
/** Blocks of one engine's GPU: a quarter of the 32 documents, 7 blocks each. */
const gpuBlocks = 57;

/** Questions to 32 documents in random order, slow enough that nobody queues. */
function questions(): SimulatedRequest[] {
  const random = seededRandom(1);
  return Array.from({ length: 600 }, (_, i) => {
    const document = randomInteger(random, 32);
    const blockIds = Array.from({ length: promptBlocks }, (_, block) =>
      block < promptBlocks - 1 ? document * 100 + block : 100_000 + i,
    );
    return { arrivalSeconds: i, promptTokens: 500, outputTokens: 2, blockIds };
  });
}

function hitRate(chunksMax: number | undefined): number {
  const layout = { model: findModel('Qwen3-8B'), gpu: findGpu('H100') };
  const config = defaultEngineConfig({
    ...{ blockSize, numGpuBlocks: gpuBlocks + 1, maxModelLen: 1024 },
  });
  const tier = nativeOffloadConfig({
    ...{ hostBytes: 1, blockBytesPerGpu: 9.4e6, link: { bytesPerSecond: 50e9 } },
  });
  const createConnector =
    chunksMax === undefined
      ? undefined
      : () => new NativeOffload({ config: { ...tier, chunksMax }, blockSize });
  const engine = { config, cost: rooflineCost(layout), createConnector };
  const { hitRate: rate, engines } = simulateFleet({
    ...{ requests: questions(), engines: [engine, engine], policy: 'roundrobin' },
    traceBlockTokens,
  });
  for (const { requests } of engines) assert.equal(requests, 300);
  return rate;
}

test('a host tier no larger than the GPU gains almost nothing, one for all documents almost everything', () => {
  const none = hitRate(undefined);
  const same = hitRate(gpuBlocks);
  const large = hitRate(32 * promptBlocks * 2);
  assert.ok(none > 0.15 && none < 0.35, `${none}`);
  assert.ok(
    Math.abs(same - none) < 0.05,
    `${same} with a mirror of the same size, ${none} without`,
  );
  assert.ok(large > 0.75, `${large}`);
});

test('a shared store does not change when an engine acts because others use it', () => {
  const link = { bytesPerSecond: 1e9 };
  const store = new ChunkStore({
    ...{ name: 'shared', chunksMax: 10_000, chunkBytes: 9.4e6, read: link, write: link },
  });
  const tier = nativeOffloadConfig({
    ...{ hostBytes: 1, blockBytesPerGpu: 9.4e6, link: { bytesPerSecond: 50e9 } },
  });
  const connectors: KvConnector[] = [];
  let calls = 0;
  let waits = 0;
  /** Looks at all others before and after each call. */
  const watched = (connector: KvConnector): KvConnector =>
    new Proxy(connector, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]): unknown => {
          const others = connectors.filter((other) => other !== target);
          const before = others.map(({ nextSeconds }) => nextSeconds);
          const answer: unknown = Reflect.apply(value, target, given);
          assert.deepEqual(
            others.map(({ nextSeconds }) => nextSeconds),
            before,
          );
          calls++;
          waits += before.filter(Number.isFinite).length;
          return answer;
        };
      },
    });
  const createConnector = () => {
    const config = { ...tier, chunksMax: gpuBlocks };
    const connector = new NativeOffload({ config, blockSize, stores: [store] });
    connectors.push(connector);
    return watched(connector);
  };
  const layout = { model: findModel('Qwen3-8B'), gpu: findGpu('H100') };
  const config = defaultEngineConfig({
    ...{ blockSize, numGpuBlocks: gpuBlocks + 1, maxModelLen: 1024 },
  });
  const engine = { config, cost: rooflineCost(layout), createConnector };
  const { engines } = simulateFleet({
    // Ten at a time, so that one's transfers are under way while another's begin.
    requests: questions().map((one) => ({ ...one, arrivalSeconds: one.arrivalSeconds / 20 })),
    ...{ engines: [engine, engine, engine], policy: 'roundrobin', traceBlockTokens },
  });
  assert.deepEqual(
    engines.map(({ requests }) => requests),
    [200, 200, 200],
  );
  assert.ok(calls > 1000 && waits > 100, `${calls} calls, ${waits} with transfers of others`);
});
