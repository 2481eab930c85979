import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InputError } from '../base/index.ts';
import { findGpu, findModel, gpus, kvBytesPerToken, models, sharesHeads } from '../engine/index.ts';
import { type EngineSpec, engineShape, sizeEngine } from './index.ts';

const qwen = { model: findModel('Qwen3-8B'), gpu: findGpu('H100') };

function refused(spec: EngineSpec, sentence: RegExp): void {
  assert.throws(
    () => sizeEngine(spec),
    (error) => error instanceof InputError && sentence.test(error.message),
  );
}

const decodeStep = {
  ...{ sequences: 8, tokens: 8, prefillTokens: 0, prefillTokenContext: 0 },
  ...{ prefillTokensSquared: 0, decodeSequences: 8, decodeContextTokens: 8000 },
};

test('an engine gets the defaults of vllm serve for its GPU', () => {
  const limits = (gpu: string) => {
    const { config } = sizeEngine({ model: findModel('qwen3-0.6b'), gpu: findGpu(gpu) });
    return [config.maxNumBatchedTokens, config.maxNumSeqs, config.blockSize];
  };
  assert.deepEqual(limits('b200'), [16_384, 1024, 16]);
  assert.deepEqual(limits('h100'), [8192, 1024, 16]);
  assert.deepEqual(limits('a100'), [2048, 256, 16]);
  assert.deepEqual(limits('l40s'), [2048, 256, 16]);
  assert.deepEqual(limits('cpu'), [2048, 128, 128]);
});

test('KV blocks fill the memory of a GPU that weights, activations and logits leave free', () => {
  const { memory, config, kvTokens } = sizeEngine({ ...qwen, gpuMemoryUtilization: 0.9 });
  assert.ok(memory !== undefined);
  const { weightBytes, activationBytes, logitsBytes, fixedBytes, headroomBytes } = memory;
  const others = weightBytes + activationBytes + logitsBytes + fixedBytes + headroomBytes;
  assert.ok(Math.abs(others + memory.kvCacheBytes - (qwen.gpu.memoryBytes ?? 0)) < 1);
  assert.equal(config.numGpuBlocks, Math.floor(memory.kvCacheBytes / (16 * 147_456)));
  assert.equal(kvTokens, (config.numGpuBlocks - 1) * 16);
});

test('given values replace computed ones', () => {
  assert.equal(sizeEngine({ ...qwen, numGpuBlocks: 3000 }).config.numGpuBlocks, 3000);
  const bytes = 1000 * 16 * 147_456;
  assert.equal(sizeEngine({ ...qwen, kvCacheMemoryBytes: bytes }).config.numGpuBlocks, 1000);
  const { config } = sizeEngine({
    ...qwen,
    scheduler: { blockSize: 32, maxNumSeqs: 64, maxNumBatchedTokens: undefined, maxModelLen: 4096 },
  });
  assert.deepEqual(
    [config.blockSize, config.maxNumSeqs, config.maxNumActiveSeqs, config.maxNumBatchedTokens],
    [32, 64, 64, 8192],
  );
});

test('a smaller batch leaves more memory to the KV cache: its logits take less', () => {
  const tokens = (maxNumSeqs: number) =>
    sizeEngine({ ...qwen, scheduler: { maxNumSeqs } }).kvTokens;
  const logitsBytes = (1024 - 64) * 151_936 * 4 * 2.4;
  assert.ok(Math.abs(tokens(64) - tokens(1024) - logitsBytes / 147_456) < 32);
});

test('float32 doubles the bytes of weights and of KV values, as in vLLM', () => {
  const [narrow, wide] = ['bfloat16', 'float32'].map((dtype) => sizeEngine({ ...qwen, dtype }));
  assert.equal(wide?.memory?.weightBytes, 2 * (narrow?.memory?.weightBytes ?? 0));
  assert.equal(wide?.kvBytesPerToken, 2 * (narrow?.kvBytesPerToken ?? 0));
  const [narrowStep = 0, wideStep = 0] = [narrow, wide].map((one) =>
    one?.cost.stepSeconds(decodeStep),
  );
  assert.ok(wideStep > 1.6 * narrowStep, `${wideStep} s, ${narrowStep} s`);
  assert.deepEqual(sizeEngine({ ...qwen, dtype: 'auto' }).config, narrow?.config);
  assert.deepEqual(narrow?.notes, []);
  assert.match(wide?.notes.join() ?? '', /^float32 is sized .* at the rate of bfloat16: prefill/);
  assert.deepEqual(
    sizeEngine({ ...qwen, dtype: 'float32', gpu: findGpu('CPU'), numGpuBlocks: 9000 }).notes,
    [],
  );
});

test('the type of the KV cache is independent of that of the weights', () => {
  const plain = sizeEngine(qwen);
  const fp8 = sizeEngine({ ...qwen, kvCacheDtype: 'fp8_e4m3' });
  assert.equal(fp8.kvBytesPerToken, plain.kvBytesPerToken / 2);
  assert.deepEqual(fp8.memory, plain.memory);
  const mixed = sizeEngine({ ...qwen, dtype: 'float32', kvCacheDtype: 'bfloat16' });
  assert.equal(mixed.kvBytesPerToken, plain.kvBytesPerToken);
});

test('a quantization setting takes precedence over the checkpoint, and embeddings keep their type', () => {
  const plain = engineShape(qwen);
  assert.deepEqual([plain.weightBytesPerValue, plain.precision], [2, 'bf16']);
  const fp8 = engineShape({ ...qwen, quantization: 'fp8' });
  assert.deepEqual([fp8.weightBytesPerValue, fp8.precision], [1, 'fp8']);
  const awq = sizeEngine({ ...qwen, quantization: 'awq_marlin' });
  const half = sizeEngine(qwen).memory?.weightBytes ?? 0;
  const embeddings = 2 * 151_936 * 4096 * 2;
  assert.ok(
    Math.abs((awq.memory?.weightBytes ?? 0) - ((half - embeddings) * 0.53) / 2 - embeddings) < 1,
  );
  // vLLM serves gpt-oss-120b, 117 billion weights in MXFP4, on one H100; in bf16 it would need four.
  const { config } = sizeEngine({ model: findModel('openai/gpt-oss-120b'), gpu: findGpu('h100') });
  assert.ok(config.numGpuBlocks > 1000, `${config.numGpuBlocks}`);
});

test('two stages halve the weights of a GPU and double the budget of a step; across nodes they take longer', () => {
  const model = findModel('Llama-3.1-70B');
  const spec = { model, gpu: qwen.gpu, tensorParallelSize: 4 };
  const one = sizeEngine(spec);
  const two = sizeEngine({ ...spec, pipelineParallelSize: 2 });
  assert.deepEqual([one.gpus, two.gpus], [4, 8]);
  assert.equal(two.memory?.weightBytes, (one.memory?.weightBytes ?? 0) / 2);
  assert.equal(two.config.maxNumBatchedTokens, 2 * one.config.maxNumBatchedTokens);
  const eight = sizeEngine({ ...spec, tensorParallelSize: 8, pipelineParallelSize: 2 });
  assert.ok(eight.pipeline.linkBytesPerSecond < two.pipeline.linkBytesPerSecond);
});

test('data-parallel cores of a mixture of experts share the experts; those of other models share nothing', () => {
  const mixture = { model: findModel('Qwen3-30B-A3B'), gpu: qwen.gpu };
  assert.ok(
    sizeEngine({ ...mixture, dataParallelSize: 2 }).kvTokens >
      sizeEngine(mixture).kvTokens + 200_000,
  );
  assert.equal(sizeEngine({ ...qwen, dataParallelSize: 2 }).kvTokens, sizeEngine(qwen).kvTokens);
});

test('the context is that of the model, or the longest that fits, and a note says so', () => {
  const whole = sizeEngine(qwen);
  assert.deepEqual([whole.config.maxModelLen, whole.notes], [40_960, []]);
  const short = sizeEngine({ ...qwen, gpu: findGpu('A10') });
  assert.equal(short.config.maxModelLen, short.kvTokens);
  assert.match(
    short.notes.join(),
    /^max_model_len is \d+, not the 40960 of Qwen.*; vLLM would not start, so set it to auto or/,
  );
  const auto = sizeEngine({ ...qwen, gpu: findGpu('A10'), fitsContext: true });
  assert.match(auto.notes.join(), /^max_model_len is \d+, .* the KV cache holds no more tokens\.$/);
});

test('without chunked prefill the budget covers the longest prompt', () => {
  const scheduler = { enableChunkedPrefill: false, maxModelLen: 30_000 };
  assert.equal(sizeEngine({ ...qwen, scheduler }).config.maxNumBatchedTokens, 30_000);
});

test('refuses what vLLM refuses, in one sentence', () => {
  refused(
    { ...qwen, model: findModel('Llama-3.1-70B') },
    /^meta-llama\/Llama-3.1-70B leaves no space for KV cache on 1 × H100-80GB: its weights take 141/,
  );
  refused(
    { ...qwen, tensorParallelSize: 3 },
    /32 attention heads, which 3 GPUs .* would not start/,
  );
  refused(
    { ...qwen, model: findModel('phi-4'), tensorParallelSize: 4 },
    /^microsoft\/phi-4 has 10 KV heads, which 4 GPUs .* cannot share evenly: vLLM would not start/,
  );
  refused(
    { ...qwen, scheduler: { maxModelLen: 50_000 } },
    /^max_model_len 50000 is beyond the 40960 tokens that Qwen\/Qwen3-8B was trained for: vLLM would/,
  );
  refused(
    { ...qwen, gpu: findGpu('A10'), scheduler: { maxModelLen: 40_960 } },
    /^max_model_len 40960 does not fit in the KV cache of \d+ tokens that Qwen\/Qwen3-8B leaves on 1 × A10/,
  );
  refused(
    { ...qwen, gpuMemoryUtilization: 92 },
    /^gpu_memory_utilization is 92; it must be a share/,
  );
  refused({ ...qwen, dtype: 'foo' }, /^dtype "foo" is not one of vLLM's; use one of auto, half, /);
  refused(
    { ...qwen, kvCacheDtype: 'int3' },
    /^kv_cache_dtype: "int3" is not modelled; modelled are/,
  );
});

test('accepts a context beyond that of the model or the KV cache if the caller allows it', () => {
  const long = { ...qwen, scheduler: { maxModelLen: 100_000 } };
  assert.equal(sizeEngine({ ...long, allowsLongContext: true }).config.maxModelLen, 100_000);
  const lenient = { ...long, gpu: findGpu('A10'), allowsLongContext: true, fitsContext: true };
  const { config, kvTokens } = sizeEngine(lenient);
  assert.equal(config.maxModelLen, kvTokens);
});

test('step times come from the calibrated roofline by default', () => {
  const seconds = (stepCost?: EngineSpec['stepCost']) =>
    sizeEngine({ ...qwen, stepCost }).cost.stepSeconds(decodeStep);
  assert.equal(seconds(), seconds('calibrated'));
  assert.notEqual(seconds('roofline'), seconds('calibrated'));
  assert.equal(seconds({ profile: { stepSeconds: () => 7 } }), 7);
  const measured = {
    ...{ hostSecondsPerStep: 1, matrixShare: 0.5, attentionShare: 0.5 },
    ...{ weightMemoryShare: 0.5, kvMemoryShare: 0.5, requestSeconds: 0 },
  };
  assert.ok(seconds({ measured }) > 1);
});

test('given constants of the host replace the built-in ones', () => {
  const two = { ...qwen, tensorParallelSize: 2 };
  const shipped = sizeEngine(two);
  const given = sizeEngine({
    ...two,
    host: { hostSecondsPerStep: 0.5, allReduceLatencySeconds: 1e-3 },
  });
  assert.equal(given.host.hostSecondsPerStep, 0.5);
  assert.equal(given.host.link?.bytesPerSecond, shipped.host.link?.bytesPerSecond);
  assert.ok(given.cost.stepSeconds(decodeStep) > 0.5 + 2 * 36 * 1e-3);
  assert.equal(sizeEngine(qwen).host.link, undefined);
});

const anyEngine = fc.record({
  model: fc.constantFrom(...models),
  gpu: fc.constantFrom(...gpus.filter(({ memoryBytes }) => memoryBytes !== undefined)),
  tensorParallelSize: fc.constantFrom(1, 2, 4, 8),
  pipelineParallelSize: fc.constantFrom(1, 2, 3),
  gpuMemoryUtilization: fc.double({ min: 0.3, max: 1, noNaN: true }),
  dtype: fc.constantFrom('auto', 'float32'),
  kvCacheDtype: fc.constantFrom('auto', 'fp8'),
});

/** Returns the tokens of KV cache; 0 for an engine that vLLM would not start. */
function kvTokens(spec: EngineSpec): number {
  try {
    return sizeEngine(spec).kvTokens;
  } catch (error) {
    if (error instanceof InputError) return 0;
    throw error;
  }
}

test('more memory, more GPUs per layer, more stages or fewer bytes never leave fewer tokens', () => {
  fc.assert(
    fc.property(anyEngine, fc.double({ min: 1, max: 3, noNaN: true }), (spec, factor) => {
      const tokens = kvTokens(spec);
      const { gpu, tensorParallelSize, pipelineParallelSize, gpuMemoryUtilization } = spec;
      const memoryBytes = (gpu.memoryBytes ?? 0) * factor;
      const more: EngineSpec[] = [
        // GPUs with other memory sizes have other default batches.
        {
          ...{ ...spec, gpu: { ...gpu, memoryBytes } },
          scheduler: batchOf(spec),
        },
        { ...spec, gpuMemoryUtilization: Math.min(1, gpuMemoryUtilization * factor) },
        { ...spec, pipelineParallelSize: pipelineParallelSize + 1 },
        { ...spec, dtype: 'auto' },
        { ...spec, kvCacheDtype: 'fp8' },
        ...(sharesHeads(spec.model, 2 * tensorParallelSize)
          ? [{ ...spec, tensorParallelSize: 2 * tensorParallelSize }]
          : []),
      ];
      for (const one of more) assert.ok(kvTokens(one) >= tokens, JSON.stringify(one));
    }),
    { numRuns: 300 },
  );
});

function batchOf({ gpu }: EngineSpec): NonNullable<EngineSpec['scheduler']> {
  const { config } = sizeEngine({ model: findModel('qwen3-0.6b'), gpu });
  return { maxNumSeqs: config.maxNumSeqs, maxNumBatchedTokens: config.maxNumBatchedTokens };
}

test('the blocks of an engine never take more than its share of the memory', () => {
  fc.assert(
    fc.property(anyEngine, (spec) => {
      if (kvTokens(spec) === 0) return;
      const { config, memory, model, gpus: count } = sizeEngine(spec);
      const { gpu, gpuMemoryUtilization } = spec;
      const perGpu = (config.numGpuBlocks * config.blockSize * kvBytesPerToken(model)) / count;
      const used = (memory?.weightBytes ?? 0) + perGpu;
      assert.ok(used <= (gpu.memoryBytes ?? 0) * gpuMemoryUtilization);
      assert.ok(config.maxModelLen <= (config.numGpuBlocks - 1) * config.blockSize);
    }),
    { numRuns: 300 },
  );
});
