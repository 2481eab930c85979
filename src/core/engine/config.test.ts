import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkEngineConfig, defaultEngineConfig, schedulerDefaults } from './config.ts';

const gibibyte = 2 ** 30;

test('defaults are checked with the settings that they complete', () => {
  const settings = { numGpuBlocks: 101, maxModelLen: 64 };
  assert.throws(() => defaultEngineConfig({ ...settings, numGpuBlocks: 2 }), /does not fit/);
  assert.throws(() => defaultEngineConfig({ ...settings, maxNumSeqs: 0 }), /maxNumSeqs is 0/);
});

test('the budget of a step depends on the GPU’s memory, except for an A100', () => {
  const small = { maxNumBatchedTokens: 2048, maxNumSeqs: 256 };
  const large = { maxNumBatchedTokens: 8192, maxNumSeqs: 1024 };
  const largest = { maxNumBatchedTokens: 16_384, maxNumSeqs: 1024 };
  const defaults = (gibibytes: number, isA100 = false) =>
    schedulerDefaults({ memoryBytes: gibibytes * gibibyte, isA100 });
  assert.deepEqual(defaults(69.9), small);
  assert.deepEqual(defaults(70), large);
  assert.deepEqual(defaults(80, true), small);
  assert.deepEqual(defaults(159.9), large);
  assert.deepEqual(defaults(160), largest);
  assert.deepEqual(defaults(160, true), largest);
  assert.deepEqual(schedulerDefaults({ memoryBytes: 80 * gibibyte }), large);
});

test('the CPU build has the small budget for each process', () => {
  const perProcess = { maxNumBatchedTokens: 2048, maxNumSeqs: 128 };
  assert.deepEqual(schedulerDefaults({ memoryBytes: undefined }), perProcess);
  const three = schedulerDefaults({ memoryBytes: undefined, worldSize: 3 });
  assert.deepEqual(three, { maxNumBatchedTokens: 6144, maxNumSeqs: 384 });
});

test('unset settings have vLLM’s defaults', () => {
  assert.deepEqual(defaultEngineConfig({ numGpuBlocks: 100, maxModelLen: 500 }), {
    ...{ blockSize: 16, numGpuBlocks: 100, maxNumSeqs: 256, maxNumActiveSeqs: 256 },
    ...{ maxNumBatchedTokens: 2048, maxModelLen: 500, enablePrefixCaching: true },
    ...{ enableChunkedPrefill: true, schedulingPolicy: 'fcfs', longPrefillTokenThreshold: 0 },
    ...{ watermark: 0, schedulerReserveFullIsl: true, maxLoras: 1 },
  });
  const few = defaultEngineConfig({ numGpuBlocks: 100, maxModelLen: 500, maxNumSeqs: 7 });
  assert.deepEqual([few.maxNumSeqs, few.maxNumActiveSeqs], [7, 7]);
});

test('accepts each setting at its minimum and refuses it below', () => {
  const config = defaultEngineConfig({ numGpuBlocks: 100, maxModelLen: 500 });
  const least = {
    ...{ blockSize: 1, numGpuBlocks: 2, maxNumSeqs: 1, maxNumActiveSeqs: 1 },
    ...{ maxNumBatchedTokens: 1, maxModelLen: 2, longPrefillTokenThreshold: 0, maxLoras: 1 },
  };
  for (const [name, value] of Object.entries(least)) {
    const room = { maxNumActiveSeqs: 1, numGpuBlocks: 501, blockSize: 1, maxModelLen: 2 };
    const others = name === 'numGpuBlocks' ? { maxModelLen: 2, blockSize: 16 } : room;
    checkEngineConfig({ ...config, ...others, [name]: value });
    assert.throws(
      () => checkEngineConfig({ ...config, ...others, [name]: value - 1 }),
      new RegExp(`setting ${name} is ${value - 1}; it must be an integer of at least ${value}`),
    );
    assert.throws(
      () => checkEngineConfig({ ...config, ...others, [name]: value + 0.5 }),
      /integer/,
    );
  }
});

test('refuses settings that exclude each other, from the limit on', () => {
  const config = defaultEngineConfig({ numGpuBlocks: 101, maxModelLen: 1600 });
  assert.throws(
    () => checkEngineConfig({ ...config, maxModelLen: 1601 }),
    /KV cache of 1600 tokens \(100 blocks/,
  );
  checkEngineConfig({ ...config, watermark: 0.99 });
  for (const watermark of [-0.1, 1, Number.NaN]) {
    assert.throws(() => checkEngineConfig({ ...config, watermark }), /must be in \[0, 1\)/);
  }
  checkEngineConfig({ ...config, maxNumActiveSeqs: 256 });
  assert.throws(
    () => checkEngineConfig({ ...config, maxNumActiveSeqs: 257 }),
    /is above maxNumSeqs/,
  );
  const whole = { ...config, enableChunkedPrefill: false };
  checkEngineConfig({ ...whole, maxNumBatchedTokens: 1600 });
  checkEngineConfig({ ...config, maxNumBatchedTokens: 1599 });
  assert.throws(
    () => checkEngineConfig({ ...whole, maxNumBatchedTokens: 1599 }),
    /Without chunked prefill/,
  );
});
