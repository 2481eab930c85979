// The embedded engine with a tier below its KV cache, over its own HTTP and ZeroMQ.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { EngineServerOptions } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig, nativeOffloadConfig } from '../../src/core/engine/index.ts';
import { blockHashInteger, createBlockHasher } from '../../src/core/kv/index.ts';
import type { KvEvent } from '../../src/core/protocol/index.ts';
import {
  publishingEngine,
  type ReceivedBatch,
  untimedSeries,
} from '../support/publishing-engine.ts';
import { payloadAtTimeOf, recordedText } from '../support/recorded-kv-events.ts';
import { until } from '../support/until.ts';

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
  const { complete, received, resetPrefixCache, metrics } = await start(t, {
    config: defaultEngineConfig({ maxModelLen: 1024, numGpuBlocks: 40, blockSize: 32 }),
    tier: { connector: 'ExampleConnector', storagePath },
  });
  const steps = JSON.parse(recordedText('kv-offload-example-connector.json')) as RecordedStep[];
  for (const step of steps) {
    if (step.prompt === undefined) {
      assert.equal(await resetPrefixCache(`?${step.reset}`), true, step.step);
      continue;
    }
    const { usage } = await complete({ prompt: step.prompt, max_tokens: step.maxTokens });
    assert.equal(usage.prompt_tokens_details?.cached_tokens, step.cachedTokens, step.step);
    await until(() => received.length === step.frames.length);
    const payloads = received.splice(0).map((batch, i) => payloadAtTimeOf(step.frames[i], batch));
    assert.deepEqual(payloads, step.frames, step.step);
  }
  assert.equal(readdirSync(storagePath).length, 5, 'a folder for each prompt');
  const real = recordedText('metrics-offload-after.txt');
  assert.deepEqual(untimedSeries(await metrics()), untimedSeries(real));
});

const prompt = Array.from({ length: 44 }, (_, i) => 1000 + i);
const others = [1, 2, 3, 4, 5].map((i) => prompt.map((id) => id + i * 100));

test('what the GPU has lost comes back from host memory, and is counted and announced', async (t) => {
  const { complete, received, metrics } = await start(t, { tier: nativeTier(false) });
  for (const tokens of [prompt, ...others]) await complete({ prompt: tokens, max_tokens: 2 });
  const { usage } = await complete({ prompt, max_tokens: 2 });
  assert.equal(usage.prompt_tokens_details?.cached_tokens, 32);
  await until(() => eventsOf(received, 'CPU').length === 12);
  const hasher = createBlockHasher();
  const hash0 = hasher.hashBlock(undefined, prompt, 0, 16, []);
  assert.deepEqual(eventsOf(received, 'CPU')[0], {
    type: 'BlockStored',
    blockHashes: [blockHashInteger(hash0)],
    parentBlockHash: undefined,
    tokenIds: new Uint32Array(),
    blockSize: 0,
    ...{ loraId: undefined, loraName: undefined },
    medium: 'CPU',
    groupIndex: 0,
  });
  const again = eventsOf(received, 'GPU').filter(
    (event) => event.type === 'BlockStored' && event.blockHashes[0] === blockHashInteger(hash0),
  );
  assert.equal(again.length, 2, 'loaded blocks are announced as stored on the GPU');
  const page = await metrics();
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
  const { complete, metrics } = await start(t, {
    ...{ tier: nativeTier(false, 4e6), timeScale: 1 },
  });
  for (const tokens of [prompt, ...others]) await complete({ prompt: tokens, max_tokens: 1 });
  // Two blocks of 1 MB at 4 MB/s.
  const answer = complete({ prompt, max_tokens: 1 });
  const own = 'engine="0",model_name="tiny"';
  const isShown = async (line: string) => (await metrics()).includes(`${line}\n`);
  await until(() => isShown(`vllm:num_requests_kv_fetch_by_stage{${own},stage="in_progress"} 1.0`));
  assert.ok(await isShown(`vllm:num_requests_waiting_by_reason{${own},reason="deferred"} 1.0`));
  assert.ok(await isShown(`vllm:num_requests_running{${own}} 0.0`));
  assert.equal((await answer).usage.prompt_tokens_details?.cached_tokens, 32);
});

test('events of the tier say what its chunks hold, if asked for', async (t) => {
  const { complete, received } = await start(t, { tier: nativeTier(true) });
  await complete({ prompt, max_tokens: 1 });
  await until(() => eventsOf(received, 'CPU').length === 2);
  const hasher = createBlockHasher();
  const hash0 = hasher.hashBlock(undefined, prompt, 0, 16, []);
  const hash1 = hasher.hashBlock(hash0, prompt, 16, 32, []);
  const [, second] = eventsOf(received, 'CPU');
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
  const { complete, resetPrefixCache } = await start(t, { tier: nativeTier(false) });
  const cachedTokens = async () =>
    (await complete({ prompt, max_tokens: 1 })).usage.prompt_tokens_details?.cached_tokens;
  await cachedTokens();
  assert.equal(await resetPrefixCache(), true);
  assert.equal(await cachedTokens(), 32);
  assert.equal(await resetPrefixCache('?reset_external=true'), true);
  assert.equal(await cachedTokens(), 0);
});

test('of several connectors the first with tokens is loaded from, and all are stored to', async (t) => {
  const storagePath = folder(t);
  const { complete, received, metrics } = await start(t, {
    tier: {
      connector: 'MultiConnector',
      tiers: [nativeTier(false), { connector: 'ExampleConnector', storagePath }],
    },
  });
  for (const tokens of [prompt, ...others]) await complete({ prompt: tokens, max_tokens: 1 });
  assert.equal(readdirSync(storagePath).length, 6);
  const { usage } = await complete({ prompt, max_tokens: 1 });
  assert.equal(usage.prompt_tokens_details?.cached_tokens, 32);
  await until(() => eventsOf(received, 'CPU').length === 12);
  const own = 'engine="0",model_name="tiny"';
  const page = await metrics();
  for (const line of [
    `vllm:prompt_tokens_cached_by_source_total{${own},source="host"} 32.0`,
    `vllm:prompt_tokens_cached_by_source_total{${own},source="external_unspecified"} 0.0`,
    `vllm:kv_offload_load_bytes_total{${own}} 2e+06`,
  ]) {
    assert.ok(page.includes(`${line}\n`), line);
  }
});

/** Blocks of 1 MB, as many as there are. */
function nativeTier(selfDescribingKvEvents: boolean, bytesPerSecond = 1e9) {
  const config = nativeOffloadConfig({
    ...{ hostBytes: 1e9, blockBytesPerGpu: 1e6, link: { bytesPerSecond } },
  });
  return { connector: 'OffloadingConnector', config, selfDescribingKvEvents } as const;
}

function eventsOf(received: readonly ReceivedBatch[], medium: string): KvEvent[] {
  return received
    .flatMap(({ events }) => events)
    .filter((event) => 'medium' in event && event.medium === medium);
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'spillway-example-connector-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

function start(t: TestContext, options: Partial<EngineServerOptions>) {
  const config = defaultEngineConfig({ maxModelLen: 160, numGpuBlocks: 12, blockSize: 16 });
  return publishingEngine(t, { config, ...options });
}
