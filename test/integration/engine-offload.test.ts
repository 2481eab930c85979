// The embedded engine with a tier below its KV cache, over its own HTTP and ZeroMQ.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createEngineServer, type EngineServerOptions } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig, nativeOffloadConfig } from '../../src/core/engine/index.ts';
import { blockHashInteger, createBlockHasher } from '../../src/core/kv/index.ts';
import {
  decodeKvEventBatch,
  defaultKvEventsConfig,
  encodeKvEventBatch,
  type KvEvent,
  type KvEventBatch,
  type KvEventsConfig,
} from '../../src/core/protocol/index.ts';
import { loadTokenizer } from '../../src/io/models/index.ts';
import { SubscriberSocket } from '../../src/io/zmq/index.ts';

const tokenizer = await loadTokenizer();
const fixtures = join(import.meta.dirname, 'fixtures');

interface RecordedStep {
  readonly step: string;
  readonly prompt?: readonly number[];
  readonly maxTokens?: number;
  readonly cachedTokens?: number;
  /** Query of /reset_prefix_cache. */
  readonly reset?: string;
  readonly frames: readonly string[];
}

test('with a folder below, events, hits and counters are those of a real vLLM', async (t) => {
  const storagePath = folder(t);
  const { complete, heard, url } = await start(t, {
    config: defaultEngineConfig({ maxModelLen: 1024, numGpuBlocks: 40, blockSize: 32 }),
    tier: { connector: 'ExampleConnector', storagePath },
  });
  const file = join(fixtures, 'kv-offload-example-connector.json');
  for (const step of JSON.parse(readFileSync(file, 'utf8')) as RecordedStep[]) {
    if (step.prompt === undefined) {
      const answer = await fetch(`${url}/reset_prefix_cache?${step.reset}`, { method: 'POST' });
      assert.deepEqual(await answer.json(), { success: true }, step.step);
      continue;
    }
    const usage = await complete({ prompt: step.prompt, max_tokens: step.maxTokens });
    assert.equal(usage.prompt_tokens_details?.cached_tokens, step.cachedTokens, step.step);
    await until(() => heard.length === step.frames.length);
    const payloads = heard.splice(0).map((batch, i) => {
      const recorded = decodeKvEventBatch(Buffer.from(step.frames[i] ?? '', 'hex'));
      const { timestampSeconds } = recorded;
      return Buffer.from(encodeKvEventBatch({ ...batch, timestampSeconds })).toString('hex');
    });
    assert.deepEqual(payloads, step.frames, step.step);
  }
  assert.equal(readdirSync(storagePath).length, 5, 'a folder for each prompt');
  const untimed = (page: string) =>
    page
      .split('\n')
      .filter((line) => /^vllm:/.test(line) && !/_created|_seconds|per_gpu|config_info/.test(line));
  const page = await (await fetch(`${url}/metrics`)).text();
  const real = readFileSync(join(fixtures, 'metrics-offload-after.txt'), 'utf8');
  assert.deepEqual(untimed(page).sort(), untimed(real).sort());
});

const prompt = Array.from({ length: 44 }, (_, i) => 1000 + i);
const others = [1, 2, 3, 4, 5].map((i) => prompt.map((id) => id + i * 100));

test('what the GPU has lost comes back from host memory, and is counted and announced', async (t) => {
  const { complete, heard, url } = await start(t, { tier: nativeTier(false) });
  for (const tokens of [prompt, ...others]) await complete({ prompt: tokens, max_tokens: 2 });
  const usage = await complete({ prompt, max_tokens: 2 });
  assert.equal(usage.prompt_tokens_details?.cached_tokens, 32);
  await until(() => eventsOf(heard, 'CPU').length === 12);
  const hasher = createBlockHasher();
  const hash0 = hasher.hashBlock(undefined, prompt, 0, 16, []);
  assert.deepEqual(eventsOf(heard, 'CPU')[0], {
    type: 'BlockStored',
    blockHashes: [blockHashInteger(hash0)],
    parentBlockHash: undefined,
    tokenIds: new Uint32Array(),
    blockSize: 0,
    ...{ loraId: undefined, loraName: undefined },
    medium: 'CPU',
    groupIndex: 0,
  });
  const again = eventsOf(heard, 'GPU').filter(
    (event) => event.type === 'BlockStored' && event.blockHashes[0] === blockHashInteger(hash0),
  );
  assert.equal(again.length, 2, 'loaded blocks are announced as stored on the GPU');
  const page = await (await fetch(`${url}/metrics`)).text();
  const own = 'engine="0",model_name="tiny"';
  for (const line of [
    `vllm:prefix_cache_hits_total{${own}} 0.0`,
    `vllm:external_prefix_cache_queries_total{${own}} 308.0`,
    `vllm:external_prefix_cache_hits_total{${own}} 32.0`,
    `vllm:prompt_tokens_cached_by_source_total{${own},source="host"} 32.0`,
    `vllm:prompt_tokens_by_source_total{${own},source="external_kv_transfer"} 32.0`,
    `vllm:kv_offload_store_bytes_total{${own}} 1.2e+07`,
    `vllm:kv_offload_load_bytes_total{${own}} 2e+06`,
    `vllm:kv_offload_load_size_count{${own}} 1.0`,
    `vllm:kv_offload_cpu_cache_usage_perc{${own}} 0.0`,
    `vllm:num_requests_kv_fetch_by_stage{${own},stage="in_progress"} 0.0`,
  ]) {
    assert.ok(page.includes(`${line}\n`), line);
  }
});

test('a request that waits for its load is waiting, deferred, and in the stage of its load', async (t) => {
  const { complete, url } = await start(t, {
    ...{ tier: nativeTier(false, 4e6), timeScale: 1 },
  });
  for (const tokens of [prompt, ...others]) await complete({ prompt: tokens, max_tokens: 1 });
  // Two blocks of 1 MB at 4 MB/s.
  const answer = complete({ prompt, max_tokens: 1 });
  const own = 'engine="0",model_name="tiny"';
  const isShown = async (line: string) =>
    (await (await fetch(`${url}/metrics`)).text()).includes(`${line}\n`);
  const deadline = performance.now() + 5000;
  while (!(await isShown(`vllm:num_requests_kv_fetch_by_stage{${own},stage="in_progress"} 1.0`))) {
    assert.ok(performance.now() < deadline, 'the load is never shown');
  }
  assert.ok(await isShown(`vllm:num_requests_waiting_by_reason{${own},reason="deferred"} 1.0`));
  assert.ok(await isShown(`vllm:num_requests_running{${own}} 0.0`));
  assert.equal((await answer).prompt_tokens_details?.cached_tokens, 32);
});

test('events of the tier say what its chunks hold, if asked for', async (t) => {
  const { complete, heard } = await start(t, { tier: nativeTier(true) });
  await complete({ prompt, max_tokens: 1 });
  await until(() => eventsOf(heard, 'CPU').length === 2);
  const hasher = createBlockHasher();
  const hash0 = hasher.hashBlock(undefined, prompt, 0, 16, []);
  const hash1 = hasher.hashBlock(hash0, prompt, 16, 32, []);
  const [, second] = eventsOf(heard, 'CPU');
  assert.ok(second?.type === 'BlockStored');
  assert.deepEqual(second.blockHashes, [blockHashInteger(hash1)]);
  assert.equal(second.parentBlockHash, blockHashInteger(hash0));
  assert.deepEqual(Array.from(second.tokenIds), prompt.slice(16, 32));
  assert.deepEqual(
    [second.blockSize, second.cacheSpecKind, second.extraKeys],
    [16, 'full_attention', undefined],
  );
});

test('reset_external empties host memory as well', async (t) => {
  const { complete, url } = await start(t, { tier: nativeTier(false) });
  await complete({ prompt, max_tokens: 1 });
  const reset = (query: string) => fetch(`${url}/reset_prefix_cache?${query}`, { method: 'POST' });
  await reset('');
  const kept = await complete({ prompt, max_tokens: 1 });
  assert.equal(kept.prompt_tokens_details?.cached_tokens, 32);
  await reset('reset_external=true');
  const lost = await complete({ prompt, max_tokens: 1 });
  assert.equal(lost.prompt_tokens_details?.cached_tokens, 0);
});

/** Blocks of 1 MB, as many as there are. */
function nativeTier(selfDescribingKvEvents: boolean, bytesPerSecond = 1e9) {
  const config = nativeOffloadConfig({
    ...{ hostBytes: 1e9, blockBytesPerGpu: 1e6, link: { bytesPerSecond } },
  });
  return { connector: 'OffloadingConnector', config, selfDescribingKvEvents } as const;
}

function eventsOf(heard: readonly KvEventBatch[], medium: string): KvEvent[] {
  return heard
    .flatMap(({ events }) => events as readonly KvEvent[])
    .filter((event) => 'medium' in event && event.medium === medium);
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'spillway-example-connector-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

async function start(t: TestContext, options: Partial<EngineServerOptions>) {
  const server = await createEngineServer({
    ...{ port: 0, model: 'tiny', tokenizer, devMode: true, enablePromptTokensDetails: true },
    config: defaultEngineConfig({ maxModelLen: 160, numGpuBlocks: 12, blockSize: 16 }),
    cost: { stepSeconds: () => 0.001 },
    timeScale: Number.POSITIVE_INFINITY,
    kvEvents: {
      ...defaultKvEventsConfig,
      ...{ enable_kv_cache_events: true, publisher: 'zmq', endpoint: 'tcp://*:0' },
    },
    ...options,
  });
  const sources = (await (await fetch(`${server.url}/kv_event_sources`)).json()) as {
    0: KvEventsConfig;
  };
  const heard: KvEventBatch[] = [];
  const subscriber = new SubscriberSocket({
    endpoint: sources[0].endpoint,
    onMessage: ([, , payload]) => heard.push(decodeKvEventBatch(payload ?? new Uint8Array())),
  });
  t.after(async () => {
    await subscriber.close();
    await server.close();
  });
  const complete = async (body: object) => {
    const answer = await fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ignore_eos: true, ...body }),
    });
    assert.equal(answer.status, 200);
    const { usage } = (await answer.json()) as { usage: Usage };
    return usage;
  };
  await until(() => subscriber.connected);
  return { complete, heard, url: server.url };
}

interface Usage {
  readonly prompt_tokens_details?: { readonly cached_tokens: number };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'what the test waits for did not happen in 5 s');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
