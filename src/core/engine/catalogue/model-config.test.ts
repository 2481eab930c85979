import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InputError } from '../../base/index.ts';
import {
  bytesPerWeightOf,
  findModel,
  kvBytesPerToken,
  modelFromConfig,
  modelParameters,
  weightBytes,
} from '../index.ts';

test('reads the same shape from a config.json as from the catalogue', () => {
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

test('a config.json of MiniMax-M2 says what the catalogue says of its router and its norms', () => {
  const config = {
    ...{ model_type: 'minimax_m2', num_hidden_layers: 62, hidden_size: 3072, head_dim: 128 },
    ...{ num_attention_heads: 48, num_key_value_heads: 8, intermediate_size: 1536 },
    ...{ num_local_experts: 256, num_experts_per_tok: 8, vocab_size: 200_064 },
    ...{ max_position_embeddings: 196_608, tie_word_embeddings: false },
    quantization_config: { quant_method: 'fp8' },
  };
  const { source: _, ...shape } = modelFromConfig('MiniMaxAI/MiniMax-M2.5', config);
  const { source: __, ...known } = findModel('MiniMaxAI/MiniMax-M2.5');
  assert.deepEqual(shape, known);
});

test('loads a float32 checkpoint in 16 bits, like vLLM’s --dtype auto', () => {
  const config = {
    ...{ model_type: 'llama', num_hidden_layers: 2, hidden_size: 256, num_attention_heads: 4 },
    ...{ intermediate_size: 512, vocab_size: 1000, max_position_embeddings: 2048 },
    torch_dtype: 'float32',
  };
  assert.equal(modelFromConfig('x', config).bytesPerValue, 2);
});

test('reads the shape in the catalogue from a config.json of DeepSeek, gpt-oss or Gemma', () => {
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

test('reads the keys of GPT-2 and Falcon, and adds the defaults of their classes', () => {
  const gpt2 = modelFromConfig('gpt2', {
    ...{ model_type: 'gpt2', n_embd: 768, n_layer: 12, n_head: 12, n_positions: 1024 },
    ...{ vocab_size: 50_257, n_inner: null },
  });
  assert.ok(Math.abs(modelParameters(gpt2) / 124e6 - 1) < 0.02, `${modelParameters(gpt2)}`);
  const falcon = modelFromConfig('falcon-7b', {
    ...{ model_type: 'falcon', hidden_size: 4544, num_hidden_layers: 32, num_attention_heads: 71 },
    ...{ multi_query: true, vocab_size: 65_024, tie_word_embeddings: true },
    new_decoder_architecture: false,
  });
  assert.equal(falcon.kvHeads, 1);
  assert.ok(Math.abs(modelParameters(falcon) / 6.9e9 - 1) < 0.02, `${modelParameters(falcon)}`);
  const { source: _, ...gemma } = modelFromConfig('google/gemma-3-4b', {
    model_type: 'gemma3',
    text_config: {
      ...{ hidden_size: 2560, intermediate_size: 10_240, num_hidden_layers: 34 },
      ...{ sliding_window: 1024, model_type: 'gemma3_text' },
    },
  });
  const { source: __, ...known } = findModel('google/gemma-3-4b');
  assert.deepEqual(gemma, known);
});

const small = {
  ...{ hidden_size: 1024, intermediate_size: 3072, num_hidden_layers: 2, vocab_size: 1000 },
  ...{ num_attention_heads: 16, num_key_value_heads: 8, max_position_embeddings: 4096 },
};

test('the quantization that a checkpoint declares sets the bytes of its weights', () => {
  const group = (weights: object) => ({ config_groups: { group_0: { weights } } });
  for (const [given, precision, bytes] of [
    [{ quant_method: 'fp8', weight_block_size: [128, 128] }, 'fp8', 1],
    [{ quant_method: 'mxfp4' }, 'fp4', 0.5625],
    [{ quant_method: 'awq', bits: 4 }, 'int4', 0.53],
    [{ quant_method: 'auto-round', bits: 4 }, 'int4', 0.53],
    [{ quant_method: 'gptq', bits: 8 }, 'fp8', 1],
    [{ quant_method: 'modelopt', quant_algo: 'NVFP4' }, 'fp4', 0.5625],
    [{ quant_method: 'compressed-tensors', ...group({ num_bits: 4, type: 'int' }) }, 'int4', 0.53],
    [
      { quant_method: 'compressed-tensors', ...group({ num_bits: 4, type: 'float' }) },
      'fp4',
      0.5625,
    ],
    [{ quant_method: 'compressed-tensors', ...group({ num_bits: 8, type: 'float' }) }, 'fp8', 1],
    [undefined, undefined, 2],
  ] as const) {
    const model = modelFromConfig('x', { ...small, quantization_config: given });
    assert.equal(model.weightPrecision, precision);
    assert.equal(bytesPerWeightOf(model), bytes);
    assert.equal(bytesPerWeightOf(model, 'fp8'), 1);
  }
});

test('refuses an impossible shape in one sentence', () => {
  for (const [change, message] of [
    [{ hidden_size: 0 }, /has no number "hidden_size" above 0/],
    [{ hidden_size: 5e153 }, /has no number "hidden_size" above 0 and up to 1000000000;/],
    [{ vocab_size: '1000' }, /has no number "vocab_size" above 0/],
    [{ num_key_value_heads: 32 }, /32 KV heads for 16 heads/],
    [{ num_attention_heads: 24 }, /head_dim must be a whole number/],
    [{ num_experts: 8, num_experts_per_tok: 9 }, /9 of 8 experts per token/],
    [{ num_experts: 8 }, /has no number "num_experts_per_tok"/],
  ] as const) {
    assert.throws(() => modelFromConfig('x', { ...small, ...change }), message);
  }
});

test('any config.json yields a model with finite numbers or one InputError', () => {
  const value = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.integer(), fc.constant(undefined));
  const keys = [...Object.keys(small), 'head_dim', 'num_experts', 'num_experts_per_tok'];
  const entry = fc.tuple(fc.constantFrom(...keys, 'quantization_config', 'layer_types'), value);
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 3 }), (changes) => {
      try {
        const model = modelFromConfig('x', { ...small, ...Object.fromEntries(changes) });
        assert.ok(Number.isFinite(modelParameters(model)) && modelParameters(model) > 0);
        assert.ok(Number.isFinite(kvBytesPerToken(model)) && kvBytesPerToken(model) > 0);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
      }
    }),
  );
});

test('latent attention has DeepSeek’s head sizes unless the config has others', () => {
  const config = {
    ...{ num_hidden_layers: 2, hidden_size: 1024, num_attention_heads: 8, vocab_size: 1000 },
    ...{ intermediate_size: 512, max_position_embeddings: 2048, kv_lora_rank: 512 },
  };
  assert.deepEqual(modelFromConfig('x', config).latentAttention, {
    ...{ qLoraRank: 0, kvLoraRank: 512 },
    ...{ qkNopeHeadDim: 128, qkRopeHeadDim: 64, vHeadDim: 128 },
  });
  const others = { q_lora_rank: 1, qk_nope_head_dim: 2, qk_rope_head_dim: 3, v_head_dim: 4 };
  assert.deepEqual(modelFromConfig('x', { ...config, ...others }).latentAttention, {
    ...{ qLoraRank: 1, kvLoraRank: 512 },
    ...{ qkNopeHeadDim: 2, qkRopeHeadDim: 3, vHeadDim: 4 },
  });
});

test('one layer in every sliding_window_pattern has full attention; otherwise the model type decides', () => {
  const shareOf = (settings: object) =>
    modelFromConfig('x', {
      ...{ model_type: 'llama', num_hidden_layers: 2, hidden_size: 256, num_attention_heads: 4 },
      ...{ intermediate_size: 512, vocab_size: 1000, max_position_embeddings: 2048 },
      ...{ sliding_window: 128, ...settings },
    }).slidingWindow?.layersShare;
  assert.equal(shareOf({ sliding_window_pattern: 4 }), 0.75);
  assert.equal(shareOf({ sliding_window_pattern: 2 }), 0.5);
  assert.equal(shareOf({ sliding_window_pattern: 1 }), 1);
  assert.equal(shareOf({}), 1);
  assert.equal(shareOf({ model_type: 'gemma2' }), 0.5);
  assert.equal(shareOf({ use_sliding_window: false }), undefined);
  assert.equal(shareOf({ layer_types: ['full_attention'] }), undefined);
});

test('Qwen’s one wide shared expert counts as several of the routed ones', () => {
  // config.json of Qwen/Qwen1.5-MoE-A2.7B
  const { experts } = modelFromConfig('Qwen/Qwen1.5-MoE-A2.7B', {
    ...{ model_type: 'qwen2_moe', num_hidden_layers: 24, hidden_size: 2048 },
    ...{ num_attention_heads: 16, num_key_value_heads: 16, intermediate_size: 5632 },
    ...{ moe_intermediate_size: 1408, shared_expert_intermediate_size: 5632 },
    ...{ num_experts: 60, num_experts_per_tok: 4, vocab_size: 151_936 },
    ...{ max_position_embeddings: 8192 },
  });
  assert.deepEqual(experts, { count: 60, perToken: 4, shared: 4 });
});
