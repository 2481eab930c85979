// The tiers that a values file gives its engines: their sizes, what they are called, and how fast they are.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KvConnector, TieredSequence } from '../../core/engine/index.ts';
import { resolveValues } from '../../core/values/index.ts';
import { SharedStores } from './shared-stores.ts';
import { stackOf } from './stack-engines.ts';
import { type OffloadChoice, tiersOf } from './stack-tiers.ts';

/** Qwen3-8B in bfloat16: 36 layers of 8 heads of 128 values of 2 bytes, keys and values. */
const bytesPerToken = 36 * 8 * 128 * 2 * 2;
/** A chunk of LMCache. */
const chunkBytes = 256 * bytesPerToken;
/** Bandwidth between one H100 and its host. */
const pcieBytesPerSecond = 50e9;
const gibibyte = 2 ** 30;

/** The first engine of an entry, with more sections of the entry and of the file. */
async function engineOf(
  sections: string,
  { rest = '', offload }: { rest?: string; offload?: OffloadChoice } = {},
) {
  const text = `servingEngineSpec:
  modelSpec: [{name: m, modelURL: Qwen/Qwen3-8B, gpu: H100-80GB, ${sections}}]
${rest}`;
  const { values } = resolveValues({ files: [{ name: 'f', text }] });
  const { engines } = await stackOf(values, { offload });
  const engine = engines[0] ?? assert.fail();
  return { engine, values, connector: engine.createConnector?.(0) };
}

/** The arguments of an engine with vLLM's offloading connector, without other host memory. */
function offloading(extra: object): string {
  const config = JSON.stringify({
    ...{ kv_connector: 'OffloadingConnector', kv_role: 'kv_both' },
    kv_connector_extra_config: extra,
  });
  return `vllmConfig: {extraArgs: [--kv-transfer-config, '${config}']}`;
}

/** The same prompt for every id. */
function promptOf(id: string, tokens: number): TieredSequence {
  return {
    request: {
      ...{ id, promptTokens: tokens, maxTokens: 1, priority: 0, arrivalSeconds: 0 },
      blockKey: (index: number) => `block ${index}`,
    },
    ...{ knownTokens: tokens, computedTokens: 0 },
    blocks: Array.from({ length: Math.ceil(tokens / 16) }, (_, index) => index + 1),
    blockKey: (index: number) => `block ${index}`,
  };
}

/** Computes a prompt in a step of 1 s from 0 s on. @returns Seconds that the tiers add to the step. */
function compute(connector: KvConnector, prompt: TieredSequence): number {
  return connector.planned({
    ...{ startSeconds: 0, computeSeconds: 1, sequences: [prompt], preempted: [] },
    ...{ scheduledTokens: [prompt.knownTokens], allocatedBlocks: [] },
  });
}

const near = (actual: number | undefined, expected: number) =>
  assert.ok(
    Math.abs((actual ?? Number.NaN) / expected - 1) < 1e-10,
    `${actual} rather than ${expected}`,
  );

const tierNames = (connector: KvConnector | undefined) =>
  connector?.stats.tiers.map(({ name, chunksMax }) => [name, chunksMax]);

test('an engine without offload has no connector', async () => {
  const { engine, values } = await engineOf('kvTiers: {load: cheaper}');
  const [entry = assert.fail()] = values.servingEngineSpec.modelSpec;
  const settings = { offload: {}, secondaryTiers: [] };
  for (const choice of [undefined, { kind: 'none', hostBytes: 1 } as const]) {
    const below = { settings, stores: new SharedStores(values), choice };
    const tiers = tiersOf(entry, { ...engine, notes: [] }, below);
    assert.deepEqual(tiers, { createConnector: undefined, offload: undefined });
  }
});

test('LMCache without a disk has host memory only', async () => {
  const { engine, connector } = await engineOf(
    'lmcacheConfig: {enabled: true, cpuOffloadingBufferSize: 4}',
  );
  assert.equal(engine.offload, 'LMCache, 4.0 GiB of host memory');
  assert.deepEqual(tierNames(connector), [['cpu', Math.floor((4 * gibibyte) / chunkBytes)]]);
});

test('LMCache has its sizes per GPU', async () => {
  const sizes = 'cpuOffloadingBufferSize: 4, diskOffloadingBufferSize: "8"';
  const { engine, connector } = await engineOf(
    `vllmConfig: {tensorParallelSize: 2}, lmcacheConfig: {enabled: true, ${sizes}}`,
  );
  assert.equal(engine.offload, 'LMCache, 8.0 GiB of host memory, 16.0 GiB of disk');
  assert.deepEqual(tierNames(connector), [
    ['cpu', Math.floor((8 * gibibyte) / chunkBytes)],
    ['disk', Math.floor((16 * gibibyte) / chunkBytes)],
  ]);
});

test('each pipeline stage has a worker of LMCache per GPU', async () => {
  const words = 'vllmConfig: {tensorParallelSize: 2, extraArgs: ["--pipeline-parallel-size=3"]}';
  const { engine } = await engineOf(
    `${words}, lmcacheConfig: {enabled: true, cpuOffloadingBufferSize: 4}`,
  );
  assert.equal(engine.offload, 'LMCache, 24.0 GiB of host memory');
});

test('LMCache that only transfers KV cache is not a tier', async () => {
  const { engine } = await engineOf(
    'lmcacheConfig: {enabled: true, enablePD: true, cpuOffloadingBufferSize: 4}',
  );
  assert.equal(engine.offload, undefined);
});

test('stores that engines share come after an engine’s own disk', async () => {
  const lmcache =
    'lmcacheConfig: {enabled: true, cpuOffloadingBufferSize: 4, diskOffloadingBufferSize: 1}';
  const rest = 'cacheserverSpec: {enabled: true, objectStore: {enabled: true}}';
  const { engine, connector } = await engineOf(lmcache, { rest });
  assert.equal(
    engine.offload,
    'LMCache, 4.0 GiB of host memory, 1.0 GiB of disk, a shared store, an object store',
  );
  assert.deepEqual(
    tierNames(connector)?.map(([name]) => name),
    ['cpu', 'disk', 'shared', 'object'],
  );
});

test('a disk of LMCache reads 7 GB/s and writes 5 GB/s unless kvTiers sets other rates', async () => {
  const times = async (kvTiers: string) => {
    const { connector } = await engineOf(
      `lmcacheConfig: {enabled: true, diskOffloadingBufferSize: 1}, kvTiers: {stepMs: 0${kvTiers}}`,
    );
    assert.ok(connector);
    const copySeconds = compute(connector, promptOf('a', 300));
    near(copySeconds, chunkBytes / pcieBytesPerSecond);
    const isStored = (seconds: number) =>
      (connector.lookup(promptOf('b', 300), 0, 1 + copySeconds + seconds)?.tokens ?? 0) > 0;
    const loadSeconds = connector.lookup(promptOf('c', 300), 0, 100)?.loadSeconds ?? Number.NaN;
    return { isStored, readSeconds: loadSeconds - copySeconds };
  };
  const plain = await times('');
  near(plain.readSeconds, chunkBytes / 7e9);
  assert.equal(plain.isStored((chunkBytes / 5e9) * (1 - 1e-10)), false);
  assert.equal(plain.isStored((chunkBytes / 5e9) * (1 + 1e-10)), true);
  const given = await times(', diskReadGBps: 2, diskWriteGBps: 1');
  near(given.readSeconds, chunkBytes / 2e9);
  assert.equal(given.isStored((chunkBytes / 1e9) * (1 - 1e-10)), false);
  assert.equal(given.isStored((chunkBytes / 1e9) * (1 + 1e-10)), true);
});

test('LMCache adds its own time, lookups and copies to each step', async () => {
  const { connector } = await engineOf(
    'lmcacheConfig: {enabled: true, cpuOffloadingBufferSize: 1}, kvTiers: {hostGBps: 10, stepMs: 2, lookupMs: 3}',
  );
  assert.ok(connector);
  const prompt = promptOf('a', 300);
  assert.equal(connector.lookup(prompt, 0, 0)?.tokens, 0);
  near(compute(connector, prompt), 0.002 + 0.003 + chunkBytes / 10e9);
});

test('vLLM’s offload has a size in GiB, or in blocks that fill whole chunks', async () => {
  const sized = await engineOf('vllmConfig: {extraArgs: ["--kv-offloading-size=2"]}');
  const blocks = Math.floor((2 * gibibyte) / (16 * bytesPerToken));
  assert.equal(sized.engine.offload, `native, 2.0 GiB of host memory (${blocks} blocks)`);
  assert.deepEqual(tierNames(sized.connector), [['cpu', blocks]]);
  const counted = await engineOf(offloading({ num_cpu_blocks: 5003, blocks_per_chunk: 4 }));
  // 1,250 chunks of 64 tokens.
  assert.equal(counted.engine.offload, 'native, 11.0 GiB of host memory (5000 blocks)');
  assert.deepEqual(tierNames(counted.connector), [['cpu', 1250]]);
});

test('vLLM’s offload copies at the bandwidth of the host, and adds its own time to each step', async () => {
  const loads = async (kvTiers: string) => {
    const { connector } = await engineOf(
      `${offloading({ cpu_bytes_to_use: gibibyte })}, kvTiers: {${kvTiers}}`,
    );
    assert.ok(connector);
    const stepSeconds = compute(connector, promptOf('a', 64));
    connector.advance(100);
    return { stepSeconds, hit: connector.lookup(promptOf('b', 80), 0, 100) };
  };
  const plain = await loads('stepMs: 0');
  assert.deepEqual([plain.stepSeconds, plain.hit?.tokens], [0, 64]);
  near(plain.hit?.loadSeconds, (64 * bytesPerToken) / pcieBytesPerSecond);
  const given = await loads('hostGBps: 10, stepMs: 2');
  assert.equal(given.stepSeconds, 0.002);
  near(given.hit?.loadSeconds, (64 * bytesPerToken) / 10e9);
  const slow = await loads('hostGBps: 0.001, load: cheaper');
  assert.equal(slow.hit?.tokens, 0, 'computing 64 tokens is faster');
  assert.equal((await loads('hostGBps: 0.001, load: always')).hit?.tokens, 64);
});

test('the secondary tiers of vLLM are named in their order and are unlimited', async () => {
  const { engine, connector } = await engineOf(
    `${offloading({
      cpu_bytes_to_use: gibibyte,
      secondary_tiers: [{ type: 'fs' }, { type: 'fs', locality: 'remote' }, { type: 'obj' }],
    })}, kvTiers: {load: cheaper}`,
  );
  assert.equal(
    engine.offload,
    'native, 1.0 GiB of host memory (455 blocks), a disk, a shared folder, an object store, loaded where that is cheaper',
  );
  assert.deepEqual(tierNames(connector), [
    ['cpu', 455],
    ...['disk', 'folder', 'object'].map((name) => [name, Number.POSITIVE_INFINITY]),
  ]);
});

test('a folder that engines share is as fast as their disks', async () => {
  const { engine, values } = await engineOf('');
  const [entry = assert.fail()] = values.servingEngineSpec.modelSpec;
  const stores = new SharedStores(values);
  const settings = { offload: {}, hostBytes: gibibyte, secondaryTiers: ['shared-disk'] } as const;
  const below = { settings, stores, choice: undefined };
  const tiers = tiersOf(entry, { ...engine, notes: [] }, below);
  tiers.createConnector?.(0);
  const blockBytes = 16 * bytesPerToken;
  const folder = stores.folder(blockBytes, {
    ...{ read: { bytesPerSecond: 1 }, write: { bytesPerSecond: 1 } },
  });
  near(folder.readSeconds(['a'], 0), blockBytes / 7e9);
  near(folder.write(['a'], 0), blockBytes / 5e9);
});

test('a chosen offload overrides the values, and its size is for all GPUs', async () => {
  const chosen = async (kind: OffloadChoice['kind'], sections: string) => {
    const offload = { kind, hostBytes: 9 * gibibyte };
    return (await engineOf(sections, { offload })).engine.offload;
  };
  const lmcache =
    'vllmConfig: {tensorParallelSize: 2}, lmcacheConfig: {enabled: true, cpuOffloadingBufferSize: 4, diskOffloadingBufferSize: 4}';
  assert.equal(await chosen('none', lmcache), undefined);
  assert.equal(await chosen('lmcache', lmcache), 'LMCache, 9.0 GiB of host memory');
  assert.equal(await chosen('native', lmcache), 'native, 9.0 GiB of host memory (4096 blocks)');
  const blocks = offloading({ num_cpu_blocks: 50, secondary_tiers: { type: 'obj' } });
  assert.equal(
    await chosen('native', blocks),
    'native, 9.0 GiB of host memory (4096 blocks), an object store',
  );
});

test('with P2P, an engine loads what another one has in host memory, over the link between them', async () => {
  const sections =
    'replicaCount: 2, kvTiers: {peerGBps: 10, lookupMs: 0, stepMs: 0}, lmcacheConfig: {enabled: true, cpuOffloadingBufferSize: "10", enableController: true, enableP2P: true}';
  const { engine } = await engineOf(sections);
  assert.match(engine.offload ?? '', /10.0 GiB of host memory, that of the other engines$/);
  const [a = assert.fail(), b = assert.fail()] = [0, 1].map((i) => engine.createConnector?.(i));
  compute(a, promptOf('a', 800));
  const prompt = promptOf('b', 800);
  const hit = b.lookup(prompt, 0, 10);
  assert.deepEqual([hit?.tokens, hit?.source], [768, 'p2p']);
  const seconds = (3 * chunkBytes) / 10e9 + 0.2e-3 + (3 * chunkBytes) / pcieBytesPerSecond;
  near(hit?.loadSeconds, seconds);
});

test('P2P without a controller is an error', async () => {
  await assert.rejects(
    engineOf('lmcacheConfig: {enabled: true, cpuOffloadingBufferSize: "1", enableP2P: true}'),
    { name: 'InputError', message: /enableP2P of m needs enableController: true/ },
  );
});
