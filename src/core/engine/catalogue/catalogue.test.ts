import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../base/index.ts';
import {
  engineConfigFor,
  findGpu,
  findModel,
  gpus,
  kvBlocks,
  kvBytesPerToken,
  kvBytesPerTokenPerGpu,
  modelFromConfig,
  modelParameters,
  models,
  weightBytes,
} from '../index.ts';

test('models are found by id or short name, in any case, with or without a tuning', () => {
  for (const name of ['Qwen/Qwen3-8B', 'qwen3-8b', 'QWEN3-8B', 'Qwen/Qwen3-8B-Base']) {
    assert.equal(findModel(name).layers, 36, name);
  }
  assert.equal(
    findModel('meta-llama/Llama-3.1-8B-Instruct').name,
    'meta-llama/Llama-3.1-8B-Instruct',
  );
  assert.equal(findModel('Qwen3-30B-A3B-Instruct-2507').experts?.count, 128);
});

test('an unknown model or GPU is refused with the nearest known name', () => {
  assert.throws(() => findModel('qwen3-8c'), /did you mean Qwen\/Qwen3-8B\?/);
  assert.throws(() => findModel('gpt-17'), InputError);
  assert.throws(() => findGpu('H10O'), /did you mean H100-80GB\?/);
  assert.throws(() => findGpu('abacus'), /"abacus" is not in the catalogue; known: A100-80GB/);
});

test('GPUs are found by the names that nvidia-smi and others give them', () => {
  for (const [name, known] of [
    ['NVIDIA H100 80GB HBM3', 'H100-80GB'],
    ['h100', 'H100-80GB'],
    ['NVIDIA A100-SXM4-80GB', 'A100-80GB'],
    ['NVIDIA GeForce RTX 4090', 'RTX4090'],
    ['NVIDIA RTX PRO 6000 Blackwell Server Edition', 'RTX-PRO-6000'],
    ['NVIDIA L40S', 'L40S'],
    ['A10G', 'A10'],
    ['cpu', 'CPU'],
  ] as const) {
    assert.equal(findGpu(name).name, known);
  }
  assert.throws(() => findGpu('A100 40GB'), /did you mean A100-80GB/);
});

test('parameters follow from the shape, as the models are named', () => {
  const billions = {
    'qwen3-0.6b': 0.6,
    'qwen3-32b': 32.8,
    'qwen3-30b-a3b': 30.5,
    'llama-3.1-8b': 8.03,
    'llama-3.1-70b': 70.6,
    'gemma-2-9b': 9.24,
    'gemma-2-27b': 27.2,
    'gemma-3-4b': 3.88,
    'gemma-3-12b': 11.8,
    'gemma-3-27b': 27,
    'mixtral-8x7b': 46.7,
    'gpt-oss-120b': 117,
  };
  for (const [name, expected] of Object.entries(billions)) {
    const actual = modelParameters(findModel(name)) / 1e9;
    assert.ok(Math.abs(actual / expected - 1) < 0.01, `${name}: ${actual}`);
  }
});

test('KV bytes per token are those that vLLM allocates', () => {
  const expected = {
    'qwen3-0.6b': 114_688,
    'llama-3.1-8b': 131_072,
    'llama-3.1-70b': 327_680,
    'qwen3-8b': 147_456,
    'qwen3-32b': 262_144,
    'qwen3-30b-a3b': 98_304,
    'qwen3-235b-a22b': 192_512,
  };
  for (const [name, bytes] of Object.entries(expected)) {
    assert.equal(kvBytesPerToken(findModel(name)), bytes, name);
  }
  // Four KV heads on eight GPUs: each keeps one, so the split stops at four.
  assert.equal(kvBytesPerTokenPerGpu(findModel('qwen3-30b-a3b'), 8), 98_304 / 4);
});

test('KV blocks beside the weights are those of two real engines within 1 %', () => {
  const recorded = kvBlocks(
    { model: findModel('llama-3.1-8b'), gpu: findGpu('rtx4090'), gpuMemoryUtilization: 0.9 },
    { blockSize: 16, maxNumBatchedTokens: 2048, maxNumSeqs: 256 },
  );
  assert.ok(Math.abs(recorded / 2588 - 1) < 0.01, `${recorded}`);
  const published = kvBlocks(
    {
      model: findModel('qwen3-32b'),
      gpu: findGpu('h100'),
      tensorParallelSize: 2,
      gpuMemoryUtilization: 0.65,
    },
    { blockSize: 16, maxNumBatchedTokens: 8192, maxNumSeqs: 1024 },
  );
  assert.ok(Math.abs(published / 9271 - 1) < 0.01, `${published}`);
});

test('an engine gets the defaults of vllm serve for its GPU', () => {
  const limits = (gpu: string) => {
    const config = engineConfigFor({ model: findModel('qwen3-0.6b'), gpu: findGpu(gpu) });
    return [config.maxNumBatchedTokens, config.maxNumSeqs, config.blockSize];
  };
  assert.deepEqual(limits('b200'), [16_384, 1024, 16]);
  assert.deepEqual(limits('h100'), [8192, 1024, 16]);
  assert.deepEqual(limits('a100'), [2048, 256, 16]);
  assert.deepEqual(limits('l40s'), [2048, 256, 16]);
  assert.deepEqual(limits('cpu'), [2048, 128, 128]);
});

test('the context is the longest that fits where none is asked for, and an error where one is', () => {
  const layout = { model: findModel('qwen3-8b'), gpu: findGpu('a10') };
  assert.ok(engineConfigFor(layout).maxModelLen < 40_960);
  assert.throws(
    () => engineConfigFor(layout, { maxModelLen: 40_960 }),
    /does not fit in the KV cache/,
  );
});

test('weights that leave no room for KV cache are refused in one sentence', () => {
  const layout = { model: findModel('llama-3.1-70b'), gpu: findGpu('h100') };
  assert.throws(() => engineConfigFor(layout), /leaves no room for KV cache on 1 × H100-80GB/);
  assert.ok(engineConfigFor({ ...layout, tensorParallelSize: 4 }).numGpuBlocks > 10_000);
});

test('a config.json gives the same shape as the catalogue', () => {
  const config = {
    model_type: 'qwen3_moe',
    num_hidden_layers: 48,
    hidden_size: 2048,
    num_attention_heads: 32,
    num_key_value_heads: 4,
    head_dim: 128,
    intermediate_size: 6144,
    moe_intermediate_size: 768,
    num_experts: 128,
    num_experts_per_tok: 8,
    vocab_size: 151_936,
    max_position_embeddings: 40_960,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
  };
  const { source: _, ...shape } = modelFromConfig('Qwen/Qwen3-30B-A3B', config);
  const { source: __, ...known } = findModel('Qwen/Qwen3-30B-A3B');
  assert.deepEqual(shape, known);
  const { num_hidden_layers: ___, ...incomplete } = config;
  assert.throws(() => modelFromConfig('x', incomplete), /no number "num_hidden_layers"/);
});

test('a config.json of DeepSeek, gpt-oss or Gemma gives the shape in the catalogue', () => {
  const deepSeek = {
    ...{ num_hidden_layers: 61, hidden_size: 7168, num_attention_heads: 128 },
    ...{ num_key_value_heads: 128, intermediate_size: 18_432, moe_intermediate_size: 2048 },
    ...{ n_routed_experts: 256, num_experts_per_tok: 8, n_shared_experts: 1 },
    ...{ q_lora_rank: 1536, kv_lora_rank: 512, qk_nope_head_dim: 128, qk_rope_head_dim: 64 },
    ...{ v_head_dim: 128, vocab_size: 129_280, max_position_embeddings: 163_840 },
  };
  const known = findModel('deepseek-ai/DeepSeek-V3');
  const read = modelFromConfig('deepseek-ai/DeepSeek-V3', deepSeek);
  assert.equal(modelParameters(read), modelParameters(known));
  assert.equal(kvBytesPerToken(read), kvBytesPerToken(known));
  const gemma = modelFromConfig('google/gemma-3-27b', {
    model_type: 'gemma3',
    text_config: {
      ...{ num_hidden_layers: 62, hidden_size: 5376, num_attention_heads: 32, head_dim: 128 },
      ...{ num_key_value_heads: 16, intermediate_size: 21_504, vocab_size: 262_208 },
      ...{ max_position_embeddings: 131_072, sliding_window: 1024, model_type: 'gemma3_text' },
    },
  });
  const { source: _, ...shape } = gemma;
  const { source: __, ...expected } = findModel('google/gemma-3-27b');
  assert.deepEqual(shape, expected);
  const windowed = { ...deepSeek, sliding_window: 128, layer_types: ['sliding_attention'] };
  assert.equal(modelFromConfig('x', windowed).slidingWindow?.layersShare, 1 / 61);
});

test('an OPT config has two matrices in its feed-forward part and ties its embeddings', () => {
  const opt = modelFromConfig('facebook/opt-125m', {
    model_type: 'opt',
    num_hidden_layers: 12,
    hidden_size: 768,
    num_attention_heads: 12,
    ffn_dim: 3072,
    vocab_size: 50_272,
    max_position_embeddings: 2048,
    torch_dtype: 'float16',
  });
  assert.equal(weightBytes(opt), weightBytes(findModel('opt-125m')));
});

test('every row of the catalogue has a source and makes sense', () => {
  for (const model of models) {
    assert.ok(model.source.startsWith('https://'));
    assert.equal(model.attentionHeads % model.kvHeads, 0, model.name);
  }
  for (const gpu of gpus) {
    assert.ok(gpu.source.length > 10 && gpu.efficiencySource.length > 5, gpu.name);
    for (const share of Object.values(gpu.efficiency)) assert.ok(share > 0.1 && share <= 1);
  }
});
