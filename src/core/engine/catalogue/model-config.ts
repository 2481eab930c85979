// Reads the shape of a model from its Hugging Face `config.json`.
import { counted, InputError } from '../../base/index.ts';
import type { LatentAttention, ModelSpec } from './model-spec.ts';
import { precisionNamed, type WeightPrecision } from './precision.ts';

type Config = Readonly<Record<string, unknown>>;
/** Returns the number at the first of the keys that has one above 0 and plausible for a shape. */
type Read = (...keys: string[]) => number | undefined;

/**
 * Reads the shape from the `config.json` of a transformer: Llama, Mistral, Qwen 2 and 3 with and
 * without experts, Mixtral, Phi, OPT, GPT-2, Falcon, Gemma 2 and 3, gpt-oss, DeepSeek and related models.
 *
 * @throws {InputError} If a number without a default is missing, or the shape is impossible.
 */
export function modelFromConfig(name: string, file: Config): ModelSpec {
  // Multimodal models keep the shape of their language model in a separate section.
  const text = file['text_config'] ?? file['llm_config'] ?? file['language_config'];
  const config: Config = isMap(text) ? { ...file, ...text } : file;
  const type = String(config['model_type']);
  const defaults = classDefaults[type] ?? {};
  const read: Read = (...keys) => {
    const found = keys.flatMap((key) => [config[key], defaults[key]]).find(isCount);
    return found as number | undefined;
  };
  const need = (...keys: string[]): number => {
    const value = read(...keys);
    if (value !== undefined) return value;
    throw new InputError(
      `config.json of ${name} has no number "${keys[0]}" above 0 and up to ${countMax}; the model must be a transformer ` +
        'with attention in every layer',
    );
  };
  const hiddenSize = need('hidden_size', 'n_embd', 'd_model');
  const layers = need('num_hidden_layers', 'n_layer', 'n_layers');
  const attentionHeads = need('num_attention_heads', 'n_head', 'n_heads');
  const isMiniMax = type === 'minimax_m2';
  const routed = expertsOf(read, need);
  const experts = routed && { ...routed, ...(isMiniMax && { hasFloat32Router: true }) };
  const latentAttention = latentOf(read);
  const weightPrecision = precisionOf(config['quantization_config']) ?? precisionNamed(name);
  const isOpt = type === 'opt';
  // Gemma's configs omit the defaults of their class.
  const isTied = config['tie_word_embeddings'] ?? /^(gemma|gpt2)/.test(type);
  const spec: ModelSpec = {
    name,
    layers,
    hiddenSize,
    attentionHeads,
    kvHeads: kvHeadsOf(config, read, attentionHeads),
    headDim: read('head_dim') ?? hiddenSize / attentionHeads,
    intermediateSize:
      (experts && read('moe_intermediate_size')) ??
      read('intermediate_size', 'ffn_dim', 'ffn_hidden_size', 'n_inner') ??
      // GPT-2 and Falcon omit it: four times the hidden size.
      (ungated.has(type) ? 4 * hiddenSize : need('intermediate_size')),
    feedForwardMatrices: ungated.has(type) ? 2 : 3,
    experts,
    ...(latentAttention && { latentAttention }),
    ...windowOf(config, layers),
    vocabSize: need('vocab_size'),
    tiedEmbeddings: isTied === true || isOpt,
    contextTokensMax:
      need('max_position_embeddings', 'n_positions', 'max_seq_len', 'seq_length') -
      // RoBERTa counts positions from 2.
      (/roberta$/.test(type) ? 2 : 0),
    ...poolingOf(config),
    // vLLM loads a float32 checkpoint in 16 bits unless --dtype is given.
    bytesPerValue: 2,
    ...(isMiniMax && { normalizesAllHeads: true }),
    ...(weightPrecision && { weightPrecision }),
    source: `config.json of ${name}`,
  };
  checkShape(spec);
  return spec;
}

/** The feed-forward part of these models has two matrices, without a gate. */
const ungated = new Set([
  'bert',
  'roberta',
  'xlm-roberta',
  'opt',
  'gpt2',
  'falcon',
  'gpt_neox',
  'phi',
  'starcoder2',
  'nemotron',
]);

/** Defaults that configs leave to their class in transformers, by `model_type`. */
const classDefaults: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  gemma3_text: {
    ...{ num_attention_heads: 8, num_key_value_heads: 4, head_dim: 256 },
    ...{ vocab_size: 262_208, max_position_embeddings: 131_072 },
  },
  gemma2: { head_dim: 256, num_key_value_heads: 4 },
  falcon: { max_position_embeddings: 2048 },
  llama4_text: { n_shared_experts: 1 },
};

/** A model whose class has no output layer for text. */
function poolingOf(config: Config): Pick<ModelSpec, 'pooling'> {
  const [name = ''] = [config['architectures']].flat().map(String);
  const isEncoder = /bert/i.test(String(config['model_type']));
  const task = /ForSequenceClassification$/.test(name)
    ? 'score'
    : isEncoder || /(Model|EmbeddingModel)$/.test(name)
      ? 'embed'
      : undefined;
  if (task === undefined) return {};
  const listed = config['matryoshka_dimensions'];
  const matryoshka = Array.isArray(listed)
    ? listed.filter((one) => typeof one === 'number')
    : config['is_matryoshka'] === true
      ? 'any'
      : undefined;
  const labels = task === 'score' && isMap(config['id2label']) ? config['id2label'] : undefined;
  return {
    pooling: {
      ...{ task, ...(isEncoder && { isEncoder }), ...(matryoshka && { matryoshka }) },
      ...(labels && { labels: Object.values(labels).map(String) }),
    },
  };
}

function isMap(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Far above any number of a real shape, and products of a few such numbers stay finite. */
const countMax = 1e9;

function isCount(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value <= countMax;
}

function expertsOf(read: Read, need: (...keys: string[]) => number): ModelSpec['experts'] {
  const count = read('num_experts', 'num_local_experts', 'n_routed_experts');
  if (count === undefined || count === 1) return undefined;
  const perToken = need('num_experts_per_tok', 'experts_per_token', 'num_experts_per_token');
  // Qwen's shared expert has a separate size.
  const width = read('shared_expert_intermediate_size');
  const size = read('moe_intermediate_size');
  const shared = width && size ? width / size : read('n_shared_experts', 'num_shared_experts');
  return { count, perToken, ...(shared ? { shared } : {}) };
}

function kvHeadsOf(config: Config, read: Read, attentionHeads: number): number {
  // Falcon's first generation has one KV head for all attention heads.
  if (config['multi_query'] === true && config['new_decoder_architecture'] !== true) return 1;
  return read('num_key_value_heads', 'num_kv_heads') ?? attentionHeads;
}

/** The quantization that Hugging Face checkpoints declare, in the spellings of each method. */
function precisionOf(given: unknown): WeightPrecision | undefined {
  if (!isMap(given)) return undefined;
  const { quant_method: method, quant_algo: algorithm, bits, format } = given;
  const isInt4 = given['load_in_4bit'] === true || bits === 4;
  if (isInt4) return 'int4';
  if (given['load_in_8bit'] === true || bits === 8) return 'fp8';
  const groups = isMap(given['config_groups']) ? Object.values(given['config_groups']) : [];
  const weights = groups.map((group) => (isMap(group) ? group['weights'] : undefined)).find(isMap);
  if (weights?.['num_bits'] === 4) return weights['type'] === 'float' ? 'fp4' : 'int4';
  if (weights?.['num_bits'] === 8) return 'fp8';
  const names = [algorithm, format, method].filter((name) => typeof name === 'string');
  return names.map(precisionNamed).find((precision) => precision !== undefined);
}

/** DeepSeek's names; a config without a compressed KV vector has none of them. */
function latentOf(read: Read): LatentAttention | undefined {
  const kvLoraRank = read('kv_lora_rank');
  if (kvLoraRank === undefined) return undefined;
  return {
    qLoraRank: read('q_lora_rank') ?? 0,
    kvLoraRank,
    qkNopeHeadDim: read('qk_nope_head_dim') ?? 128,
    qkRopeHeadDim: read('qk_rope_head_dim') ?? 64,
    vHeadDim: read('v_head_dim') ?? 128,
  };
}

/** Layers with a window, from `layer_types` or from the number of layers per full layer. */
function windowOf(config: Config, layers: number): Pick<ModelSpec, 'slidingWindow'> {
  const { sliding_window: tokens, layer_types: types, sliding_window_pattern: pattern } = config;
  // Qwen's configs contain a window that `use_sliding_window` switches off.
  if (!isCount(tokens) || config['use_sliding_window'] === false) return {};
  const windowed = Array.isArray(types)
    ? types.filter((type) => type === 'sliding_attention').length / layers
    : typeof pattern === 'number' && pattern > 1
      ? 1 - 1 / pattern
      : (defaultWindowShares[String(config['model_type'])] ?? 1);
  return windowed > 0
    ? { slidingWindow: { tokens: tokens as number, layersShare: Math.min(1, windowed) } }
    : {};
}

/** For configs older than `layer_types`; other models with a window have it in every layer. */
const defaultWindowShares: Readonly<Record<string, number>> = {
  ...{ gemma2: 1 / 2, gemma3: 5 / 6, gemma3_text: 5 / 6, gpt_oss: 1 / 2 },
};

function checkShape({ name, attentionHeads, kvHeads, headDim, experts }: ModelSpec): void {
  const refuse = (why: string): never => {
    throw new InputError(`config.json of ${name} does not describe a possible model: ${why}`);
  };
  if (kvHeads > attentionHeads)
    refuse(`${counted(kvHeads, 'KV head')} for ${counted(attentionHeads, 'head')}`);
  if (!Number.isInteger(headDim))
    refuse(`${headDim} values per head; head_dim must be a whole number`);
  if (experts && experts.perToken > experts.count) {
    refuse(`${experts.perToken} of ${experts.count} experts per token`);
  }
}
