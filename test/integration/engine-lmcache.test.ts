// Embedded engines with LMCache and a cache server, over real connections: what one stores, the other loads.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  createEngineServer,
  type EngineServer,
  resolveEngine,
} from '../../src/apps/engine/index.ts';
import { inProcessChunkHashes, noneHash } from '../../src/core/lmcache/index.ts';
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

test('the local disk has a file for each chunk, which are loaded, compared, and removed at the end', async (t) => {
  const diskFolder = join(await mkdtemp(join(tmpdir(), 'lmcache-disk-')), 'chunks');
  t.after(() => rm(dirname(diskFolder), { recursive: true }));
  // Room for four chunks: a prompt of three and the last of another one.
  const disk = { diskFolder, diskBytes: 4.5 * 256 * 147_456 };
  // The KV cache holds one prompt.
  const engine = await engineOn(t, undefined, 1000, disk, 64);
  const others = [1, 2].map((i) => prompt.map((id) => id + 10_000 * i));
  const files = () => readdir(diskFolder);
  assert.equal(await cachedTokens(engine, prompt), 0);
  await until(async () => (await files()).length === 3);
  assert.match((await files())[0] ?? '', /^Qwen-Qwen3-8B@1@0@-?[0-9a-f]+@bfloat16\.pt$/);
  // Another prompt of one chunk takes its place on the GPU.
  await cachedTokens(engine, others[0]?.slice(0, 500) ?? []);
  await until(async () => (await files()).length === 4);
  assert.equal(await cachedTokens(engine, prompt), 768);
  assert.equal(await metric(engine, wrongChunks), 0);
  // The bytes of the second chunk rot.
  const [, second = ''] = await chunkFiles(diskFolder, prompt);
  await writeFile(second, new Uint8Array((await stat(second)).size));
  await cachedTokens(engine, others[0]?.slice(0, 500) ?? []);
  const onGpu = 496;
  assert.equal(await cachedTokens(engine, prompt), onGpu);
  assert.equal(await metric(engine, wrongChunks), 1);
  // It was computed, and is stored again.
  await cachedTokens(engine, others[0]?.slice(0, 500) ?? []);
  assert.equal(await cachedTokens(engine, prompt), 768);
  // Three more chunks do not fit.
  await cachedTokens(engine, others[1] ?? []);
  await until(async () => (await files()).length === 4);
  await engine.close();
  await until(async () => (await files()).length === 0);
});

/** The files of a prompt's chunks, in order. */
async function chunkFiles(folder: string, tokens: readonly number[]): Promise<readonly string[]> {
  const names = inProcessChunkHashes(tokens, noneHash(123)).map((hash) => hash.toString(16));
  return names.map((name) => join(folder, `Qwen-Qwen3-8B@1@0@${name}@bfloat16.pt`));
}

async function engineOn(
  t: TestContext,
  remoteUrl: string | undefined,
  timeoutMs = 10_000,
  disk: { readonly diskFolder?: string; readonly diskBytes: number } = { diskBytes: 0 },
  numGpuBlocks = 2000,
): Promise<EngineServer> {
  const transfer = parseKvTransferConfig(
    JSON.stringify({
      ...{ kv_connector: 'LMCacheConnectorV1', kv_role: 'kv_both' },
      kv_connector_extra_config: { 'spillway.byte_share': 1 / 256 },
    }),
  );
  const lmcache = { ...{ chunkTokens: 256, hostBytes: 0, remoteUrl, timeoutMs }, ...disk };
  const { notes: _, ...resolved } = await resolveEngine({
    ...{ model, numGpuBlocks, config: { maxModelLen: Math.min(8192, 16 * (numGpuBlocks - 1)) } },
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
