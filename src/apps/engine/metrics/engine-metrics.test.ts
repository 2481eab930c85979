import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  defaultEngineConfig,
  type EngineRequest,
  nativeOffloadConfig,
} from '../../../core/engine/index.ts';
import type { Tokenizer } from '../../../core/tokenizer/index.ts';
import type { EngineServerOptions } from '../options.ts';
import { EngineMetrics } from './engine-metrics.ts';

const stats = {
  ...{
    running: 2,
    waiting: 1,
    blocksUsed: 5,
    blocksTotal: 101,
    kvUsage: 0.05,
    preemptions: 3,
  },
  ...{ prefixCacheQueries: 0, prefixCacheHits: 0, steps: 0, scheduledTokens: 0, outputTokens: 0 },
  ...{ finished: 0, aborted: 0, deferred: 0, waitingToLoad: 0, loading: 0, loaded: 0 },
  ...{ externalCacheQueries: 0, externalCacheHits: 0, restoredTokens: 0, tiers: undefined },
  ...{ recomputedAfterPreemption: 48, recomputedAfterEviction: 16 },
};
const makeMetrics = (options: Partial<EngineServerOptions> = {}) =>
  new EngineMetrics(
    {
      model: 'tiny',
      config: defaultEngineConfig({ maxModelLen: 8192, numGpuBlocks: 16_384, blockSize: 128 }),
      cost: { stepSeconds: () => 1 },
      tokenizer: {} as Tokenizer,
      ...options,
    },
    'tiny',
    () => 0.5,
  );

test('has every family of a real vLLM 0.32.0, with its type, labels and buckets', () => {
  const real = readFileSync(`${import.meta.dirname}/../fixtures/metrics-fresh.txt`, 'utf8');
  const ours = makeMetrics({ toolCallParser: 'hermes' }).render();
  assert.deepEqual(shape(ours), shape(real));
});

test('with a connector also has its families, as on the page of a real vLLM', () => {
  const file = `${import.meta.dirname}/../fixtures/metrics-offload-fresh.txt`;
  const config = defaultEngineConfig({ maxModelLen: 1024, numGpuBlocks: 40, blockSize: 32 });
  const tier = { connector: 'ExampleConnector', storagePath: '/nowhere' } as const;
  const ours = makeMetrics({ config, tier }).render();
  assert.deepEqual(shape(ours), shape(readFileSync(file, 'utf8')));
});

test('reports the configuration of the cache as Python prints it', () => {
  const config = defaultEngineConfig({ maxModelLen: 1024, numGpuBlocks: 40, blockSize: 32 });
  const given = { numGpuBlocks: 40, blockSize: 32, kvCacheMemoryBytes: 2 ** 30 };
  const page = makeMetrics({
    ...{ config, givenCacheSettings: { ...given, offloadingGibibytes: 4 } },
  }).render();
  const line = page.split('\n').find((text) => text.startsWith('vllm:cache_config_info{')) ?? '';
  for (const label of [
    ...['kv_cache_max_concurrency="1.25"', 'kv_cache_size_tokens="1280"', 'block_size="32"'],
    ...['num_gpu_blocks_override="40"', 'kv_cache_memory_bytes="1073741824"'],
    ...['user_specified_block_size="True"', 'kv_offloading_size="4.0"'],
  ]) {
    assert.ok(line.includes(label), label);
  }
});

test('families of native offload have series once there are observations', () => {
  const config = nativeOffloadConfig({
    ...{ hostBytes: 2 ** 30, blockBytesPerGpu: 2 ** 20, link: { bytesPerSecond: 1e9 } },
    storeThreshold: 2,
  });
  const metrics = makeMetrics({
    tier: { connector: 'OffloadingConnector', config, selfDescribingKvEvents: false },
  });
  const own = 'engine="0",model_name="tiny"';
  const fresh = metrics.render();
  assert.ok(fresh.includes('# TYPE vllm:kv_offload_load_bytes_total counter'));
  assert.ok(!fresh.includes('vllm:kv_offload_load_bytes_total{'));
  assert.ok(
    fresh.includes(`vllm:kv_offload_total_bytes_total{${own},transfer_type="GPU_to_CPU"} 0.0`),
  );
  metrics.offload?.onTransfer('store', 2 ** 22, 0.004);
  metrics.offload?.onAllocating(4);
  metrics.offload?.onLookup(100);
  const none = { transfers: 0, bytes: 0, seconds: 0 };
  const cpu = { name: 'cpu', chunks: 4, chunksMax: 1024, bytes: 0 };
  metrics.offload?.onStep({
    ...{ loads: none, stores: none, allocationFailures: 1, storesSkipped: 3 },
    tiers: [{ ...cpu, writingShare: 0.25, readingShare: 0.125 }],
  });
  const page = metrics.render();
  for (const line of [
    `vllm:kv_offload_store_bytes_total{${own}} 4.194304e+06`,
    `vllm:kv_offload_store_time_total{${own}} 0.004`,
    `vllm:kv_offload_store_size_bucket{engine="0",le="5e+06",model_name="tiny"} 1.0`,
    `vllm:kv_offload_total_bytes_total{${own},transfer_type="GPU_to_CPU"} 4.194304e+06`,
    `vllm:kv_offload_cpu_cache_usage_perc{${own}} 0.375`,
    `vllm:kv_offload_cpu_cache_write_usage_perc{${own}} 0.25`,
    `vllm:kv_offload_cpu_cache_read_usage_perc{${own}} 0.125`,
    `vllm:kv_offload_cpu_allocation_size_sum{${own}} 4.0`,
    `vllm:kv_offload_allocation_failure_total{${own}} 1.0`,
    `vllm:kv_offload_stores_skipped_total{${own}} 3.0`,
    `vllm:kv_offload_lookup_sync_delay_seconds_count{${own}} 1.0`,
  ]) {
    assert.ok(page.includes(`${line}\n`), line);
  }
});

test('gauges show the engine at the end of its last step', () => {
  const metrics = makeMetrics();
  metrics.onPreempted(3);
  assert.ok(
    metrics.render().includes('vllm:num_requests_running{engine="0",model_name="tiny"} 0.0'),
  );
  metrics.onStats(stats, []);
  const page = metrics.render();
  const own = '{engine="0",model_name="tiny"}';
  for (const line of [
    `vllm:num_requests_running${own} 2.0`,
    `vllm:num_requests_waiting${own} 1.0`,
    `vllm:kv_cache_usage_perc${own} 0.05`,
    `vllm:num_preemptions_total${own} 3.0`,
    'spillway:recomputed_tokens_total{engine="0",model_name="tiny",reason="preemption"} 48.0',
    'spillway:recomputed_tokens_total{engine="0",model_name="tiny",reason="eviction"} 16.0',
    'spillway:engine_lag_seconds 0.5',
  ]) {
    assert.ok(page.includes(`${line}\n`), line);
  }
});

test('counts a request in the families of its stages', () => {
  const metrics = makeMetrics();
  const request = {} as EngineRequest;
  const external = { tokens: 2, source: 'host' } as const;
  metrics.onLookup({ request, tokens: 10, localTokens: 2, external, isRepeated: false });
  metrics.onLookup({ request, tokens: 12, localTokens: 4, external, isRepeated: true });
  metrics.onPrefilled({ promptTokens: 10, cachedTokens: 4, externalTokens: 2 });
  metrics.onFirstToken(0.03);
  metrics.onLaterToken(0.02);
  metrics.onIteration(8);
  metrics.onGenerated(2);
  metrics.onFinished({
    ...{ reason: 'length', promptTokens: 10, outputTokens: 2, maxTokens: 2 },
    family: { choices: 1, finished: 0, longestTokens: 0 },
    ...{ cachedTokens: 4, preemptions: 0, arrivalSeconds: 1, admittedSeconds: 1.1 },
    ...{ firstTokenSeconds: 1.2, lastTokenSeconds: 1.5 },
  });
  metrics.onStats(stats, []);
  const page = metrics.render();
  const own = 'engine="0",model_name="tiny"';
  for (const line of [
    `vllm:prefix_cache_hits_total{${own}} 2.0`,
    `vllm:external_prefix_cache_queries_total{${own}} 8.0`,
    `vllm:external_prefix_cache_hits_total{${own}} 2.0`,
    `vllm:prompt_tokens_cached_by_source_total{${own},source="device"} 2.0`,
    `vllm:prompt_tokens_cached_by_source_total{${own},source="host"} 2.0`,
    `vllm:prompt_tokens_by_source_total{${own},source="external_kv_transfer"} 2.0`,
    `vllm:prompt_tokens_by_source_total{${own},source="local_cache_hit"} 2.0`,
    `vllm:prompt_tokens_total{${own}} 10.0`,
    `vllm:prompt_tokens_by_source_total{${own},source="local_compute"} 6.0`,
    `vllm:generation_tokens_total{${own}} 2.0`,
    `vllm:iteration_tokens_total_sum{${own}} 8.0`,
    `vllm:time_to_first_token_seconds_bucket{engine="0",le="0.04",model_name="tiny"} 1.0`,
    `vllm:inter_token_latency_seconds_count{${own}} 1.0`,
    `vllm:request_success_total{engine="0",finished_reason="length",model_name="tiny"} 1.0`,
    `vllm:e2e_request_latency_seconds_sum{${own}} 0.5`,
  ]) {
    assert.ok(page.includes(`${line}\n`), line);
  }
});

/**
 * Returns types by family, and series with the values of all labels except those of
 * cache_config_info.
 */
function shape(page: string): string[] {
  const lines = page
    .split('\n')
    .filter((line) => /^(# TYPE )?vllm:/.test(line) && !line.includes('_created'))
    .map((line) => (line.startsWith('#') ? line : line.replace(/(\}) \S+$/, '$1')))
    .map((line) =>
      line.startsWith('vllm:cache_config_info') ? line.replace(/="[^"]*"/g, '') : line,
    );
  return [...new Set(lines)].sort();
}
