// A router with LMCache's controller in it, over embedded engines: a prompt goes where loading it takes the least time.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  createEngineServer,
  type EngineServerOptions,
  resolveEngine,
} from '../../src/apps/engine/index.ts';
import { type RouterOptions, startRouter } from '../../src/apps/router/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { chunkHashes } from '../../src/core/lmcache/index.ts';
import { parseEngineViews, parsePickViews } from '../../src/core/views/index.ts';
import { parseKvTransferConfig } from '../../src/core/vllm-config/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import { freePorts } from '../../src/io/processes/index.ts';
import { loadTokenizer, tokenizerFolder } from '../../src/io/tokenizers/index.ts';
import { testCache } from '../support/cache.ts';
import { lmcacheWorker } from '../support/lmcache-worker.ts';
import { until } from '../support/until.ts';

const tokenizer = await loadTokenizer();
const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });
/** Sixteen chunks of 256 tokens and a rest. */
const promptOf = (seed: number) =>
  Array.from({ length: 4200 }, (_, i) => 1000 + ((seed * 10_000 + i) % 100_000));

for (const policy of ['predictive', 'kvaware']) {
  test(`${policy}: a prompt in the host memory of one engine goes to that engine`, async (t) => {
    const { worker, urls, route, known } = await stack(t, policy);
    const [a, b] = [await worker(0), await worker(1)];
    for (const seed of [1, 2]) b.admit('LocalCPUBackend', promptOf(seed));
    a.admit('LocalDiskBackend', promptOf(3));
    b.evict('LocalCPUBackend', promptOf(2));
    b.admit('LocalCPUBackend', promptOf(2).slice(0, 2048));
    await known(16 + 8 + 16);
    assert.deepEqual(await route(promptOf(1)), { url: urls[1], cachedTokens: 4096 });
    assert.deepEqual(await route(promptOf(2)), { url: urls[1], cachedTokens: 2048 });
    assert.deepEqual(await route(promptOf(3)), { url: urls[0], cachedTokens: 4096 });
    assert.equal((await route(promptOf(4))).cachedTokens, 0);
  });

  test(`${policy}: a prompt in the shared store goes to the engine with less to do`, async (t) => {
    const { worker, urls, route, known, occupy } = await stack(t, policy);
    const [a] = [await worker(0), await worker(1)];
    a.admit('RemoteBackend', promptOf(1));
    await known(16);
    const idle = (await occupy()) === urls[0] ? urls[1] : urls[0];
    assert.deepEqual(await route(promptOf(1)), { url: idle, cachedTokens: 4096 });
  });
}

test('a prompt does not go to an engine that would load it for longer than another one computes', async (t) => {
  const options = { tiers: { rates: { store: 1e6 } } };
  const { worker, urls, route, known } = await stack(t, 'predictive', options);
  // The other engine has no LMCache, and computes.
  (await worker(0)).admit('RemoteBackend', promptOf(1));
  await known(16);
  assert.deepEqual(await route(promptOf(1)), { url: urls[1], cachedTokens: 0 });
});

for (const policy of ['predictive', 'kvaware']) {
  test(`${policy}: embedded engines report what their LMCache has, and a controller that starts again learns all of it`, async (t) => {
    const ports = await freePorts(3);
    const [pullPort = 0, replyPort = 0] = ports;
    const engines = [
      await startEngine(t, await lmcacheTier({ hostBytes: 0, pullPort, replyPort })),
      await startEngine(t, await lmcacheTier({ hostBytes: 2 ** 30, pullPort, replyPort })),
    ];
    const urls = engines.map(({ url }) => url);
    const first = await over(t, policy, urls, ports);
    // Only the second engine has host memory.
    await direct(urls[1] ?? '', promptOf(1));
    await direct(urls[0] ?? '', promptOf(2));
    await first.known(16);
    // Its GPU has it, too; another router knows nothing of that.
    await first.router.close(0);
    const second = await over(t, policy, urls, ports);
    await second.known(16);
    assert.deepEqual(await second.route(promptOf(1)), { url: urls[1], cachedTokens: 4096 });
    assert.equal((await second.route(promptOf(2))).cachedTokens, 0);
  });
}

test('a prompt that embedded engines put into the shared store goes to the engine with less to do', async (t) => {
  const { urls: cache } = await testCache(t);
  const remoteUrl = cache.find((one) => one.startsWith('lm'));
  const ports = await freePorts(3);
  const [pullPort = 0, replyPort = 0] = ports;
  const tier = await lmcacheTier({ hostBytes: 0, remoteUrl, pullPort, replyPort });
  const engines = [await startEngine(t, tier), await startEngine(t, tier)];
  const urls = engines.map(({ url }) => url);
  const { known, occupy, route } = await over(t, 'kvaware', urls, ports);
  await direct(urls[0] ?? '', promptOf(1));
  await known(16);
  const idle = (await occupy()) === urls[0] ? urls[1] : urls[0];
  assert.deepEqual(await route(promptOf(1)), { url: idle, cachedTokens: 4096 });
});

test('what a server of LMCache reports to the coordinator counts for the engines on its host', async (t) => {
  const lmcacheCoordinator = { host: '127.0.0.1', port: 0 };
  const { router, route, known } = await stack(t, 'predictive', { lmcacheCoordinator });
  const send = async (path: string, body: object) => {
    const url = `${router.lmcacheCoordinatorUrl}${path}`;
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
    assert.equal(response.status, 200, await response.text());
  };
  await send('/instances', { instance_id: 'node', ip: '127.0.0.1', http_port: 1 });
  const entries = chunkHashes(promptOf(1)).map((chunk_hash_hex) => ({
    key: { chunk_hash_hex, model_name: 'tiny', kv_rank: 0x01000100 },
    size_bytes: 1000,
  }));
  const batch = { instance_id: 'node', incarnation: 1, seq: 0, event_type: 'store', tier: 'l1' };
  await send('/events', { batches: [{ ...batch, entries }] });
  await known(0);
  assert.equal((await route(promptOf(1))).cachedTokens, 4096);
  assert.equal((await route(promptOf(2))).cachedTokens, 0);
});

/** LMCache of an embedded engine, with a controller. */
async function lmcacheTier(options: {
  readonly hostBytes: number;
  readonly remoteUrl?: string | undefined;
  readonly pullPort: number;
  readonly replyPort: number;
}) {
  const { hostBytes, remoteUrl, pullPort, replyPort } = options;
  const transfer = parseKvTransferConfig(
    JSON.stringify({
      ...{ kv_connector: 'LMCacheConnectorV1', kv_role: 'kv_both' },
      kv_connector_extra_config: { 'spillway.byte_share': 1 / 256 },
    }),
  );
  const controller = {
    ...{ pullUrl: `127.0.0.1:${pullPort}`, replyUrl: `127.0.0.1:${replyPort}` },
    heartbeatSeconds: 0.1,
  };
  const { tier } = await resolveEngine({
    ...{ model: 'Qwen/Qwen3-8B', numGpuBlocks: 2000, config: { maxModelLen: 8192 } },
    tier: {
      transfer,
      lmcache: {
        chunkTokens: 256,
        hostBytes,
        diskBytes: 0,
        remoteUrl,
        timeoutMs: 10_000,
        controller,
      },
    },
  });
  return tier;
}

/** Sends a prompt to an engine, past the router. */
async function direct(url: string, prompt: readonly number[]): Promise<void> {
  const response = await fetch(`${url}/v1/completions`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
    body: JSON.stringify({ model: 'tiny', prompt, max_tokens: 1 }),
  });
  assert.equal(response.status, 200, await response.text());
}

/** Two engines behind a router with a controller. */
async function stack(t: TestContext, policy: string, options: Partial<RouterOptions> = {}) {
  const engines = await Promise.all([startEngine(t), startEngine(t)]);
  return await over(
    t,
    policy,
    engines.map(({ url }) => url),
    [0, 0, 0],
    options,
  );
}

/** A router over engines. @param ports Of its controller; 0 for free ones. */
async function over(
  t: TestContext,
  policy: string,
  urls: readonly string[],
  [pullPort = 0, replyPort = 0, heartbeatPort = 0]: readonly number[],
  options: Partial<RouterOptions> = {},
) {
  const router = await startRouter({
    ...{ port: 0, log, policy, engines: urls.map((url) => ({ url, models: [] })) },
    lmcacheController: {
      ...{ host: '127.0.0.1', pullPort, replyPort, heartbeatPort },
      ...{ workerTimeoutSeconds: 60, checkSeconds: 1, hashSeed: 123 },
    },
    ...options,
  });
  t.after(() => router.close(0));
  await router.probed;
  const page = async (path: string) => (await fetch(`${router.url}${path}`)).text();
  const send = (prompt: readonly number[], more: object, signal?: AbortSignal) =>
    fetch(`${router.url}/v1/completions`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
      body: JSON.stringify({ model: 'tiny', prompt, ...more, stream: true }),
      signal: signal ?? null,
    });
  return {
    router,
    urls,
    worker: (engine: number) =>
      lmcacheWorker(t, router.lmcacheEndpoints, new URL(urls[engine] ?? '').host),
    /** Waits until the controller knows of so many chunks, and the router has its tokenizer. */
    known: async (count: number) => {
      for (const line of [
        `lmcache:cache_controller_kv_pool_keys_count ${count}`,
        'spillway_router_tokenizer_ready{model="tiny"} 1',
      ]) {
        await until(async () => (await page('/metrics')).includes(line));
      }
    },
    /** Where the router sends a prompt, and how much of it is expected there. */
    route: async (prompt: readonly number[]) => {
      const response = await send(prompt, { max_tokens: 1 });
      assert.equal(response.status, 200, await response.text());
      const { url = '', cachedTokens } = parsePickViews(await page('/debug/picks')).at(-1) ?? {};
      return { url, cachedTokens };
    },
    /** Gives one engine a request that lasts. @returns The engine's URL. */
    occupy: async () => {
      const ended = new AbortController();
      const response = send(promptOf(9), { max_tokens: 3000, ignore_eos: true }, ended.signal);
      t.after(async () => {
        ended.abort();
        await response.then((one) => one.body?.cancel()).catch(() => {});
      });
      let busy: string | undefined;
      await until(async () => {
        const views = parseEngineViews(await page('/engines'));
        busy = views.find(({ load }) => load.inflight > 0)?.url;
        return busy !== undefined;
      });
      return busy;
    },
  };
}

async function startEngine(t: TestContext, tier?: EngineServerOptions['tier']) {
  const server = await createEngineServer({
    ...{ port: 0, model: 'tiny', tokenizer, faults: {} },
    tokenizerFolder: tokenizerFolder(),
    config: defaultEngineConfig({ maxModelLen: 8192, numGpuBlocks: 2000, blockSize: 16 }),
    cost: { stepSeconds: ({ tokens }) => 0.001 + tokens / 20_000 },
    ...{ tier, timeScale: tier === undefined ? 1 : 5 },
  });
  t.after(() => server.close());
  return server;
}
