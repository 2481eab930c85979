import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { defaultEngineConfig } from '../../../core/engine/index.ts';
import type { Tokenizer } from '../../../core/tokenizer/index.ts';
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
  ...{ finished: 0, aborted: 0, deferred: 0, loading: 0, loaded: 0 },
  ...{ externalCacheQueries: 0, externalCacheHits: 0, tiers: undefined },
};
const makeMetrics = () =>
  new EngineMetrics(
    {
      model: 'tiny',
      config: defaultEngineConfig({ maxModelLen: 8192, numGpuBlocks: 16_384, blockSize: 128 }),
      cost: { stepSeconds: () => 1 },
      tokenizer: {} as Tokenizer,
      // As in the recording.
      toolCallParser: 'hermes',
    },
    'tiny',
    () => 0.5,
  );

test('every family of a real vLLM 0.32.0 is there, with its type, labels and buckets', () => {
  const real = readFileSync(`${import.meta.dirname}/../fixtures/metrics-fresh.txt`, 'utf8');
  const ours = makeMetrics().render();
  assert.deepEqual(shape(ours), shape(real));
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
    'spillway:engine_lag_seconds 0.5',
  ]) {
    assert.ok(page.includes(`${line}\n`), line);
  }
});

test('a request counts in the families of its life', () => {
  const metrics = makeMetrics();
  metrics.onAdmitted(10, 4);
  metrics.onPrefilled(10, 4);
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
    `vllm:prefix_cache_hits_total{${own}} 4.0`,
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

/** Types by family, and series with the values of all labels but those of cache_config_info. */
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
