// What the scripts of InferenceX say of a row's server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findGpu } from '../../core/engine/index.ts';
import { minorOf, type PublishedRow, publishedFlags } from './published-runs.ts';

function flagsOf(gpu: string, row: Partial<PublishedRow>) {
  const plain = { expertParallelSize: 1, promptTokens: 1024, clients: 32, version: '0.19.0' };
  return publishedFlags({ model: 'x', precision: 'fp8', ...plain, ...row }, findGpu(gpu));
}

test('a model of no known benchmark has no flags', () => {
  assert.equal(flagsOf('H100', { model: 'Qwen/Qwen3-32B' }), undefined);
});

test('gpt-oss runs prompts of 2,048 tokens in CUDA graphs, with as many sequences as clients on Hopper', () => {
  const row = { model: 'openai/gpt-oss-120b', precision: 'fp4' } as const;
  const hopper = flagsOf('H200', { ...row, version: '0.18.0' });
  assert.deepEqual([hopper?.graphTokensMax, hopper?.maxNumSeqs], [2048, 32]);
  assert.deepEqual([hopper?.hasFp8Kv, hopper?.isBatchUnknown], [undefined, false]);
  assert.equal(flagsOf('B200', { ...row, version: '0.15.1' })?.maxNumSeqs, 512);
  const fp8 = ['', '0.15.1'].map((version) => flagsOf('B200', { ...row, version })?.hasFp8Kv);
  assert.deepEqual(fp8, [false, true]);
});

test('512 clients of gpt-oss on Hopper before 0.12 do not tell the batch', () => {
  const row = { model: 'openai/gpt-oss-120b', precision: 'fp4', clients: 512 } as const;
  const of = (gpu: string, version: string) => flagsOf(gpu, { ...row, version });
  assert.deepEqual(
    [of('H100', '0.11.2')?.isBatchUnknown, of('H100', '0.11.2')?.maxNumSeqs],
    [true, 16],
  );
  assert.equal(of('H100', '')?.isBatchUnknown, true);
  assert.equal(of('H100', '0.18.0')?.isBatchUnknown, false);
  assert.equal(of('B200', '0.11.2')?.isBatchUnknown, undefined);
});

test('MiniMax on Blackwell has a budget of two prompts since 0.19, and the default before', () => {
  const of = (version: string, precision: 'fp8' | 'fp4' = 'fp8') =>
    flagsOf('B200', { model: 'MiniMaxAI/MiniMax-M2.5', version, precision });
  assert.deepEqual(of('0.19.0'), {
    ...{ hasFp8Kv: true, graphTokensMax: 2048, maxNumBatchedTokens: 2048 },
  });
  assert.deepEqual(of('0.17.0'), {
    ...{ hasFp8Kv: false, gpuMemoryUtilization: 0.95, maxNumBatchedTokens: 8192 },
  });
  assert.equal(of('nightly-5b8c30d', 'fp4')?.graphTokensMax, undefined);
  assert.equal(of('nightly-5b8c30d', 'fp4')?.hasFp8Kv, true);
  const hopper = (gpu: string) =>
    flagsOf(gpu, { model: 'MiniMaxAI/MiniMax-M2.5' })?.gpuMemoryUtilization;
  assert.deepEqual([hopper('H100'), hopper('H200')], [0.9, 0.95]);
});

test('Llama-70B on Blackwell computes no prompt in CUDA graphs, and has a bf16 cache on H100', () => {
  const of = (gpu: string) => flagsOf(gpu, { model: 'meta-llama/Llama-3.1-70B', version: '' });
  assert.deepEqual(
    ['B200', 'H200', 'H100'].map((gpu) => [of(gpu)?.graphTokensMax, of(gpu)?.hasFp8Kv]),
    [
      [0, true],
      [undefined, true],
      [undefined, false],
    ],
  );
  assert.equal(of('B200')?.plansAhead, true);
});

test('Kimi in fp4 has its later flags where its experts are not spread', () => {
  const of = (expertParallelSize: number) =>
    flagsOf('B200', { model: 'moonshotai/Kimi-K2.5', precision: 'fp4', expertParallelSize });
  assert.deepEqual([of(4)?.graphTokensMax, of(1)?.graphTokensMax], [undefined, 2048]);
  assert.deepEqual([of(4)?.maxNumBatchedTokens, of(1)?.maxNumBatchedTokens], [8192, 2048]);
  const int4 = flagsOf('B200', { model: 'moonshotai/Kimi-K2.5', precision: 'int4' });
  assert.deepEqual([int4?.gpuMemoryUtilization, int4?.hasFp8Kv], [0.95, undefined]);
});

test('a nightly build is newer than each version, a row without one older', () => {
  assert.deepEqual(
    ['', '0.11.2', 'v0.19.0', '1.0.0', 'nightly-5b8c30d'].map(minorOf),
    [0, 11, 19, 99, 99],
  );
});
