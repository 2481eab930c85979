// Embedded engines with LMCache's P2P, over real connections: what one has in host memory, the other loads.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import {
  createEngineServer,
  type EngineServer,
  resolveEngine,
} from '../../src/apps/engine/index.ts';
import { peerGetResponse, peerSideResponse } from '../../src/core/lmcache/index.ts';
import { parseKvTransferConfig } from '../../src/core/vllm-config/index.ts';
import {
  type Controller,
  type Order,
  openController,
} from '../../src/io/lmcache-controller/index.ts';
import { openRouterSocket } from '../../src/io/zmq/index.ts';
import { metric } from '../support/fleet.ts';
import { lmcacheWorker } from '../support/lmcache-worker.ts';
import { until } from '../support/until.ts';

const model = 'Qwen/Qwen3-8B';
/** Three chunks of 256 tokens and a rest. */
const prompt = Array.from({ length: 800 }, (_, i) => 1000 + i);
/** A share of 1/256 of a chunk, in pages. */
const valueBytes = 131_072;

test('an engine loads what another one has in host memory, and every byte is right', async (t) => {
  const controller = await startController(t);
  const [a, b] = [await engineOn(t, controller, 'a'), await engineOn(t, controller, 'b')];
  await known(controller, { workers: 2 });
  assert.equal(await cachedTokens(a, prompt), 0);
  await known(controller, { chunks: 3 });
  assert.equal(await cachedTokens(b, prompt), 768);
  assert.equal(await metric(b, 'spillway_lmcache_peer_read_chunks_total'), 3);
  assert.equal(await metric(b, 'spillway_lmcache_peer_read_bytes_total'), 3 * valueBytes);
  assert.equal(await metric(b, 'spillway_lmcache_wrong_chunks_total'), 0);
  assert.equal(await metric(b, 'vllm:external_prefix_cache_hits_total'), 768);
  const page = await (await fetch(`${b.url}/metrics`)).text();
  assert.match(page, /prompt_tokens_cached_by_source_total\{[^}]*source="p2p"\} 768/);
  // The lender measures the transfer on the emulated link: 3 chunks of 37.7 MB at 12.5 GB/s.
  assert.equal(await metric(a, 'lmcache:p2p_time_to_transfer_count'), 1);
  const seconds = await metric(a, 'lmcache:p2p_time_to_transfer_sum');
  assert.ok(Math.abs(seconds - ((3 * 256 * 147_456) / 12.5e9 + 0.2e-3)) < 1e-6, String(seconds));
  // The reader keeps nothing in host memory: LMCache does not either.
  assert.equal(controller.registry.stats.chunks, 3);
});

test('of two engines that have parts of a prompt, the one with the beginning is asked', async (t) => {
  const controller = await startController(t);
  const engines = await Promise.all(['a', 'b', 'c'].map((id) => engineOn(t, controller, id)));
  const [a, b, c] = engines as [EngineServer, EngineServer, EngineServer];
  await known(controller, { workers: 3 });
  await cachedTokens(a, prompt.slice(0, 300));
  await known(controller, { chunks: 1 });
  // b reads the first chunk from a, so that it has only the second in host memory.
  await cachedTokens(b, prompt.slice(0, 600));
  await known(controller, { chunks: 2 });
  assert.equal(await cachedTokens(c, prompt), 256);
});

test('a peer that is gone, hangs or lies costs its chunks only', async (t) => {
  const controller = await startController(t);
  const reader = await engineOn(t, controller, 'reader', 200);
  const failed = () => metric(reader, 'spillway_lmcache_peer_failed_chunks_total');
  const expectComputed = async (seed: number, peerInitUrl: string, failures: number) => {
    const tokens = prompt.map((id) => id + 1000 * seed);
    const worker = await lmcacheWorker(t, controller.endpoints, `peer ${seed}`, peerInitUrl);
    worker.admit('LocalCPUBackend', tokens);
    await known(controller, { holders: [`peer ${seed}`] });
    assert.equal(await cachedTokens(reader, tokens), 0);
    assert.equal(await failed(), failures);
  };
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await expectComputed(1, `127.0.0.1:${port}`, 3);

  const silent = createServer((socket) => {
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    socket.resume();
  }).listen(0, '127.0.0.1');
  t.after(() => silent.close());
  await once(silent, 'listening');
  await expectComputed(2, `127.0.0.1:${(silent.address() as AddressInfo).port}`, 6);

  const liar = await openRouterSocket({
    endpoint: 'tcp://127.0.0.1:0',
    onMessage: (peer, frames) => {
      const zeros = new Uint8Array(valueBytes);
      const request = Buffer.from(frames.at(-1) ?? []).toString('latin1');
      const replies = request.includes('BatchedLookup')
        ? [peerGetResponse(3), zeros, zeros, zeros]
        : [peerSideResponse(liar.endpoint.replace('tcp://', ''))];
      peer.send([...frames.slice(0, -1), ...replies]);
    },
  });
  t.after(() => liar.close());
  await expectComputed(3, liar.endpoint.replace('tcp://', ''), 9);
  assert.equal(await metric(reader, 'spillway_lmcache_wrong_chunks_total'), 1);
});

test('an engine takes the orders of the controller', async (t) => {
  const controller = await startController(t);
  const engine = await engineOn(t, controller, 'a');
  await cachedTokens(engine, prompt);
  await known(controller, { chunks: 3 });
  const order = async (message: Order) => (await controller.order('a', () => message))[0]?.reply;
  const event = { worker_event_id: 'e' };
  const location = 'LocalCPUBackend';
  assert.equal((await order({ type: 'HealthWorkerMsg', ...event }))?.errorCode, 0);
  const pin = { type: 'PinWorkerMsg', ...event, location, tokens: prompt.slice(0, 600) };
  assert.equal((await order(pin))?.tokens, 512);
  assert.equal((await order({ type: 'ClearWorkerMsg', ...event, location }))?.tokens, 768);
  await until(() => controller.registry.stats.chunks === 0);
  assert.equal((await order(pin))?.tokens, 0);
});

test('a prompt moves to the host memory of another engine, before that one has seen it', async (t) => {
  const controller = await startController(t);
  const [a, b] = [await engineOn(t, controller, 'a'), await engineOn(t, controller, 'b')];
  await known(controller, { workers: 2 });
  await cachedTokens(a, prompt);
  await known(controller, { chunks: 3 });
  const location = 'LocalCPUBackend';
  const to = (id: string) =>
    controller.registry.workers.find(({ instanceId }) => instanceId === id)?.peerInitUrl ?? '';
  const move = async (from: string, url: string, copy: boolean, toLocation = location) => {
    const order = {
      ...{ type: 'MoveWorkerMsg', worker_event_id: 'e', old_position: location, copy },
      ...{ new_position: [url, toLocation], tokens: prompt },
    };
    return (await controller.order(from, () => order))[0]?.reply;
  };
  const chunksOf = (id: string) =>
    controller.registry.workers.find(({ instanceId }) => instanceId === id)?.keyCount;
  assert.equal((await move('a', to('b'), false))?.tokens, 768);
  await until(() => chunksOf('a') === 0 && chunksOf('b') === 3);
  assert.equal(await metric(b, 'spillway_lmcache_peer_read_chunks_total'), 3);
  assert.equal(await metric(b, 'spillway_lmcache_wrong_chunks_total'), 0);
  // Now it is b's own: it reads nothing from other engines.
  assert.equal(await cachedTokens(b, prompt), 768);
  assert.equal(await metric(b, 'spillway_lmcache_peer_read_chunks_total'), 3);
  assert.equal(chunksOf('b'), 3);
  // Back, as a copy. a has the prompt in HBM, but no longer in host memory.
  assert.equal((await move('b', to('a'), true))?.tokens, 768);
  await until(() => chunksOf('a') === 3 && chunksOf('b') === 3);
  await assert.rejects(move('b', to('a'), true, 'LocalDiskBackend'), /Only support moving to cpu/);
  await assert.rejects(move('b', '127.0.0.1:1', true), /sends nothing/);
  // What has moved and never came in a prompt can be emptied, like all else.
  const clear = { type: 'ClearWorkerMsg', worker_event_id: 'e', location };
  assert.equal((await controller.order('a', () => clear))[0]?.reply.tokens, 768);
  await until(() => chunksOf('a') === 0);
});

test('an engine whose port is taken does not start', async (t) => {
  const controller = await startController(t);
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const initPort = (taken.address() as AddressInfo).port;
  await assert.rejects(engineOn(t, controller, 'a', 1000, initPort), { name: 'InputError' });
});

async function startController(t: TestContext): Promise<Controller> {
  const controller = await openController({
    ...{ host: '127.0.0.1', pullPort: 0, replyPort: 0 },
    wallClock: { nowSeconds: () => Date.now() / 1000 },
  });
  t.after(() => controller.close());
  return controller;
}

/** Waits until the controller knows of so many. */
async function known(
  { registry }: Controller,
  { workers = 0, chunks = 0, holders = [] as readonly string[] },
): Promise<void> {
  await until(() => {
    const isHolding = (id: string) =>
      registry.workers.some(({ instanceId, keyCount }) => instanceId === id && keyCount > 0);
    return (
      registry.workers.length >= workers &&
      registry.stats.chunks >= chunks &&
      holders.every(isHolding)
    );
  });
}

async function engineOn(
  t: TestContext,
  { endpoints }: Controller,
  instanceId: string,
  timeoutMs = 10_000,
  initPort = 0,
): Promise<EngineServer> {
  const transfer = parseKvTransferConfig(
    JSON.stringify({
      ...{ kv_connector: 'LMCacheConnectorV1', kv_role: 'kv_both' },
      kv_connector_extra_config: { 'spillway.byte_share': 1 / 256 },
    }),
  );
  const [pullUrl = '', replyUrl = ''] = endpoints;
  const lmcache = {
    ...{ chunkTokens: 256, hostBytes: 2 ** 30, diskBytes: 0, remoteUrl: undefined, timeoutMs },
    controller: { pullUrl, replyUrl, instanceId, heartbeatSeconds: undefined },
    peers: { initPort, lookupPort: 0 },
  };
  const { notes: _, ...resolved } = await resolveEngine({
    ...{ model, numGpuBlocks: 2000, config: { maxModelLen: 8192 } },
    tier: { transfer, lmcache },
  });
  const engine = await createEngineServer({
    ...{ ...resolved, port: 0, timeScale: 20 },
    enablePromptTokensDetails: true,
  });
  t.after(() => engine.close());
  return engine;
}

/** Sends a prompt of token ids. @returns How many of its tokens were cached. */
async function cachedTokens(engine: EngineServer, tokens: readonly number[]): Promise<number> {
  const response = await fetch(`${engine.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, prompt: tokens, max_tokens: 2 }),
  });
  const { usage } = (await response.json()) as {
    usage: { prompt_tokens_details?: { cached_tokens: number } };
  };
  return usage.prompt_tokens_details?.cached_tokens ?? 0;
}
