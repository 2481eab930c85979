// Embedded engines with LMCache and a cache server, over real connections: what one stores, the other loads.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import {
  createEngineServer,
  type EngineServer,
  resolveEngine,
} from '../../src/apps/engine/index.ts';
import { RequestReader } from '../../src/core/resp/index.ts';
import { parseKvTransferConfig } from '../../src/core/vllm-config/index.ts';
import { testCache } from '../support/cache.ts';
import { metric } from '../support/fleet.ts';
import { until } from '../support/until.ts';

const model = 'Qwen/Qwen3-8B';
/** Three chunks of 256 tokens and a rest. */
const prompt = Array.from({ length: 800 }, (_, i) => 1000 + i);
const wrongChunks = 'spillway_lmcache_wrong_chunks_total';

for (const scheme of ['lm', 'redis'] as const) {
  test(`over ${scheme}://, an engine loads what another one stored, and every byte is right`, async (t) => {
    const { urls } = await testCache(t);
    const url = urls.find((one) => one.startsWith(scheme)) as string;
    const [a, b] = [await engineOn(t, url), await engineOn(t, url)];
    assert.equal(await cachedTokens(a, prompt), 0);
    await until(async () => (await metric(a, 'lmcache:num_remote_write_bytes_total')) > 0);
    await until(async () => (await metric(a, 'lmcache:remote_put_task_num')) === 0);
    assert.equal(await cachedTokens(b, prompt), 768);
    assert.equal(await metric(b, 'vllm:external_prefix_cache_hits_total'), 768);
    assert.equal(await metric(b, 'lmcache:num_hit_tokens_total'), 768);
    assert.equal(await metric(b, 'lmcache:num_remote_read_requests_total'), 3);
    assert.equal(await metric(b, 'lmcache:num_remote_read_bytes_total'), 3 * 131_072);
    assert.equal(await metric(b, wrongChunks), 0);
    // The GPU has it now: nothing is loaded.
    assert.equal(await cachedTokens(b, prompt), 800 - 16);
    assert.equal(await metric(b, 'lmcache:num_remote_read_requests_total'), 3);
  });
}

test('a server with other bytes than were stored: the chunks are computed, and counted', async (t) => {
  const engine = await engineOn(t, await lyingServer(t));
  assert.equal(await cachedTokens(engine, prompt), 0);
  assert.equal(await metric(engine, wrongChunks), 3);
  assert.equal(await metric(engine, 'lmcache:get_blocking_failed_count_total'), 3);
  assert.equal(await metric(engine, 'lmcache:num_remote_read_bytes_total'), 0);
});

test('a server that is gone costs its chunks only, and is used again when it is back', async (t) => {
  const first = await testCache(t);
  const url = first.urls[0] as string;
  const [a, b] = [await engineOn(t, url), await engineOn(t, url)];
  assert.equal(await cachedTokens(a, prompt), 0);
  await first.close();
  assert.equal(await cachedTokens(b, prompt), 0, 'computed, without an error');
  assert.equal(await metric(b, 'lmcache:lmcache_is_healthy'), 0);
  const other = prompt.map((id) => id + 10_000);
  assert.equal(await cachedTokens(a, other), 0);

  await testCache(t, { lmPort: Number(new URL(url).port) });
  const third = (seed: number) => prompt.map((id) => id + 20_000 + seed);
  let seed = 0;
  // The engines try again after a second.
  await until(async () => {
    const tokens = third(seed++);
    await cachedTokens(a, tokens);
    await until(async () => (await metric(a, 'lmcache:remote_put_task_num')) === 0);
    return (await cachedTokens(b, tokens)) === 768;
  });
  assert.equal(await metric(b, 'lmcache:lmcache_is_healthy'), 1);
});

test('a server that accepts and says nothing costs its deadline once, then nothing', async (t) => {
  const silent = createServer((socket) => {
    t.after(() => socket.destroy());
    socket.resume();
    socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  t.after(() => silent.close());
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const engine = await engineOn(t, `lm://127.0.0.1:${port}`, 100);
  const startMs = performance.now();
  assert.equal(await cachedTokens(engine, prompt), 0);
  assert.ok(performance.now() - startMs >= 100);
  assert.equal(await metric(engine, 'lmcache:lmcache_is_healthy'), 0);
});

async function engineOn(
  t: TestContext,
  remoteUrl: string,
  timeoutMs = 10_000,
): Promise<EngineServer> {
  const transfer = parseKvTransferConfig(
    JSON.stringify({
      ...{ kv_connector: 'LMCacheConnectorV1', kv_role: 'kv_both' },
      kv_connector_extra_config: { 'spillway.byte_share': 1 / 256 },
    }),
  );
  const lmcache = { chunkTokens: 256, hostBytes: 0, diskBytes: 0, remoteUrl, timeoutMs };
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

/** Says that it has every value, and returns zeros of the right size. */
async function lyingServer(t: TestContext): Promise<string> {
  const server = createServer((socket) => {
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    const reply = ([name]: readonly string[]) => {
      if (name === 'EXISTS') socket.write(':1\r\n');
      else if (name === 'GET') socket.write(`$131072\r\n${'\0'.repeat(131_072)}\r\n`);
      else socket.write('+OK\r\n');
    };
    const streamed = () => ({ write: () => {}, end: reply });
    const reader = new RequestReader({ command: reply, streamed });
    socket.on('data', (bytes: Buffer) => reader.push(bytes));
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
