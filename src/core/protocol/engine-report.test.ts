import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type EngineReport, isSameReport, parseEngineReport } from './index.ts';

test('ranks are summed, except for shares and sizes', () => {
  const page = [
    '# HELP vllm:num_requests_running Number of requests in model execution batches.',
    '# TYPE vllm:num_requests_running gauge',
    'vllm:num_requests_running{engine="0",model_name="m"} 3.0',
    'vllm:num_requests_running{engine="1",model_name="m"} 4.0 1700000000',
    'vllm:kv_cache_usage_perc{engine="0"} 0.25',
    'vllm:kv_cache_usage_perc{engine="1"} 0.75',
    'vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="100"} 1.0',
    'vllm:cache_config_info{block_size="16",engine="1",num_gpu_blocks="100"} 1.0',
    'process_start_time_seconds 1.5e+09',
    'vllm:prefix_cache_hits_total{engine="0"} 48.0',
    'vllm:external_prefix_cache_queries_total{engine="0"} 96.0',
    'vllm:external_prefix_cache_hits_total{engine="0"} 32.0',
  ].join('\n');
  const { prefixCacheHits, lowerTierQueries, lowerTierHits } = parseEngineReport(page);
  assert.deepEqual([prefixCacheHits, lowerTierQueries, lowerTierHits], [48, 96, 32]);
  const { running, kvUsage, blocksTotal, blockTokens, startedAtSeconds } = parseEngineReport(page);
  assert.deepEqual(
    [running, kvUsage, blocksTotal, blockTokens, startedAtSeconds],
    [7, 0.5, 200, 16, 1.5e9],
  );
});

test('only the wanted metric counts: not one whose name begins with it, no comment, no bad value', () => {
  const page = [
    'vllm:num_requests_waiting_by_reason{reason="capacity"} 5.0',
    'vllm:num_requests_waiting 2.0',
    ' vllm:num_requests_waiting 9.0',
    'vllm:num_requests_waiting{note="a } b"} 1.0',
    'vllm:num_requests_waiting{engine="1"} NaN',
    'vllm:num_requests_waiting',
    'x',
    '',
  ].join('\n');
  assert.equal(parseEngineReport(page).waiting, 3);
  assert.equal(parseEngineReport(page).running, undefined);
});

test('an engine with both the old and the new name of a metric is counted once', () => {
  const page = 'vllm:gpu_cache_usage_perc 0.5\nvllm:kv_cache_usage_perc 0.5\n';
  assert.equal(parseEngineReport(page).kvUsage, 0.5);
});

test('no page throws', () => {
  const part = fc.constantFrom('vllm:', 'num_requests_running', '{', '}', '"', ' ', '\n', '1', '#');
  fc.assert(
    fc.property(fc.array(fc.oneof(part, fc.string({ maxLength: 3 }))), (parts) => {
      parseEngineReport(parts.join(''));
    }),
  );
});

test('an engine sleeps if it says that it is not awake', () => {
  const page = (awake: number) =>
    `vllm:engine_sleep_state{engine="0",model_name="m",sleep_state="weights_offloaded"} ${1 - awake}.0\n` +
    `vllm:engine_sleep_state{engine="0",model_name="m",sleep_state="awake"} ${awake}.0\n`;
  assert.deepEqual(
    [page(0), page(1), ''].map((text) => parseEngineReport(text).isAsleep),
    [true, false, undefined],
  );
});

test('two reports are the same if no field differs', () => {
  const report = parseEngineReport('vllm:num_requests_running 3\nvllm:kv_cache_usage_perc 0.25\n');
  assert.ok(isSameReport(report, { ...report }));
  for (const field of Object.keys(report) as (keyof EngineReport)[]) {
    const other = report[field] === undefined ? 1 : undefined;
    assert.ok(!isSameReport(report, { ...report, [field]: other }), field);
  }
});

test('values below zero, and those that are no finite numbers, are not reported', () => {
  const page =
    'vllm:num_requests_running -5\nvllm:num_requests_waiting NaN\nvllm:kv_cache_usage_perc -3\n' +
    'vllm:prompt_tokens_total +Inf\nprocess_start_time_seconds -1\n';
  const { running, waiting, kvUsage, promptTokens, startedAtSeconds } = parseEngineReport(page);
  const none = undefined;
  assert.deepEqual(
    [running, waiting, kvUsage, promptTokens, startedAtSeconds],
    [none, none, none, none, none],
  );
});
