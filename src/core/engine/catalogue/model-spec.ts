// The shape of a transformer, and what follows from it: parameters, bytes, and operations.
import { InputError } from '../../base/index.ts';

/** The numbers of a model's `config.json` that decide its cost. */
export interface ModelSpec {
  /** Hugging Face id. */
  readonly name: string;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly attentionHeads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Of the dense feed-forward part; of one expert in a mixture of experts. */
  readonly intermediateSize: number;
  /** Matrices of a feed-forward part: 3 with a gate (SwiGLU), 2 without. */
  readonly feedForwardMatrices: 2 | 3;
  readonly experts:
    | {
        readonly count: number;
        readonly perToken: number;
        /** Experts that every token goes through; 0 unless given. */
        readonly shared?: number;
      }
    | undefined;
  /** Multi-head latent attention (DeepSeek), whose KV cache is one compressed vector a token. */
  readonly latentAttention?: LatentAttention;
  /** Layers that look back no further than so many tokens, and their share of all layers. */
  readonly slidingWindow?: { readonly tokens: number; readonly layersShare: number };
  readonly vocabSize: number;
  /** Whether the output layer shares the embedding's weights. */
  readonly tiedEmbeddings: boolean;
  /** Longest context that the model was made for, in tokens. */
  readonly contextTokensMax: number;
  /** Bytes of one weight and of one KV value as vLLM loads it by default. */
  readonly bytesPerValue: number;
  /** Bytes of one KV value where they differ from `bytesPerValue`: 1 for an fp8 KV cache. */
  readonly kvBytesPerValue?: number;
  /** Where these numbers come from. */
  readonly source: string;
}

/** Sizes of multi-head latent attention, under the names of DeepSeek's config.json. */
export interface LatentAttention {
  readonly qLoraRank: number;
  readonly kvLoraRank: number;
  readonly qkNopeHeadDim: number;
  readonly qkRopeHeadDim: number;
  readonly vHeadDim: number;
}

/** Weights of one layer; a mixture of experts counts all of them. Norms, < 0.1 %, are left out. */
export function layerParameters(model: ModelSpec): number {
  const { count, shared = 0 } = model.experts ?? { count: 1 };
  return (
    attentionParameters(model) +
    (count + shared) * feedForwardParametersOf(model) +
    routerParameters(model)
  );
}

/** Feed-forward weights of one layer that one token goes through. */
export function feedForwardPerToken(model: ModelSpec): number {
  const { perToken, shared = 0 } = model.experts ?? { perToken: 1 };
  return (perToken + shared) * feedForwardParametersOf(model);
}

/** Feed-forward weights of one layer that a batch reads: of the experts only those touched. */
export function feedForwardTouched(model: ModelSpec, tokens: number): number {
  const experts =
    model.experts === undefined ? 1 : expertsTouched(model, tokens) + (model.experts.shared ?? 0);
  return experts * feedForwardParametersOf(model);
}

/** Experts of one layer that some of the tokens goes to, each choosing evenly and independently. */
export function expertsTouched({ experts }: ModelSpec, tokens: number): number {
  if (experts === undefined) return 0;
  return experts.count * (1 - (1 - experts.perToken / experts.count) ** tokens);
}

/** All weights. */
export function modelParameters(model: ModelSpec): number {
  return embeddingParameters(model) + model.layers * layerParameters(model);
}

/** Weights of the embedding and of the output layer. */
export function embeddingParameters(model: ModelSpec): number {
  return model.vocabSize * model.hiddenSize * (model.tiedEmbeddings ? 1 : 2);
}

/** Bytes of all weights, over all GPUs. */
export function weightBytes(model: ModelSpec): number {
  return modelParameters(model) * model.bytesPerValue;
}

/** KV cache bytes of one token, over all GPUs: 2 · layers · KV heads · head size · bytes. */
export function kvBytesPerToken(model: ModelSpec): number {
  const { kvBytesPerValue = model.bytesPerValue, latentAttention: latent } = model;
  if (latent) {
    return model.layers * (latent.kvLoraRank + latent.qkRopeHeadDim) * kvBytesPerValue;
  }
  return 2 * model.layers * model.kvHeads * model.headDim * kvBytesPerValue;
}

/** Of a context's KV cache, the share that layers with a sliding window leave to be read. */
export function kvShareRead({ slidingWindow }: ModelSpec, contextTokens: number): number {
  if (slidingWindow === undefined || contextTokens <= slidingWindow.tokens) return 1;
  const { tokens, layersShare } = slidingWindow;
  return 1 - layersShare * (1 - tokens / contextTokens);
}

/** The same on one GPU: KV heads are split over the GPUs until each has one, then copied. */
export function kvBytesPerTokenPerGpu(model: ModelSpec, tensorParallelSize: number): number {
  // The compressed vector of latent attention serves all heads: each GPU has its own copy.
  if (model.latentAttention) return kvBytesPerToken(model);
  return kvBytesPerToken(model) / Math.min(tensorParallelSize, model.kvHeads);
}

/**
 * Reads the shape from a Hugging Face `config.json` of a Llama-like model (Llama, Mistral, Qwen2,
 * Qwen3, Qwen3-MoE, Mixtral, OPT, Gemma 2 and 3, gpt-oss, DeepSeek and its kin).
 *
 * @throws {InputError} If a number is missing that has no default.
 */
export function modelFromConfig(name: string, file: Readonly<Record<string, unknown>>): ModelSpec {
  // Models that also see or hear keep the shape of their language part apart.
  const { text_config: text } = file;
  const config: Readonly<Record<string, unknown>> =
    typeof text === 'object' && text !== null ? { ...file, ...text } : file;
  const read = (...keys: string[]): number | undefined => {
    const found = keys.map((key) => config[key]).find((value) => typeof value === 'number');
    return found as number | undefined;
  };
  const need = (...keys: string[]): number => {
    const value = read(...keys);
    if (value !== undefined) return value;
    throw new InputError(
      `config.json of ${name} has no number "${keys[0]}"; it must be that of a Llama-like model`,
    );
  };
  const hiddenSize = need('hidden_size');
  const attentionHeads = need('num_attention_heads');
  const experts = read('num_experts', 'num_local_experts', 'n_routed_experts');
  const latentAttention = latentOf(read);
  const shared = read('n_shared_experts');
  const isOpt = config['model_type'] === 'opt';
  // Gemma's configs leave out what is the default of its class.
  const isGemma =
    /^gemma/.test(String(config['model_type'])) && config['tie_word_embeddings'] !== false;
  return {
    name,
    layers: need('num_hidden_layers'),
    hiddenSize,
    attentionHeads,
    kvHeads: read('num_key_value_heads') ?? attentionHeads,
    headDim: read('head_dim') ?? hiddenSize / attentionHeads,
    intermediateSize:
      (experts === undefined ? undefined : read('moe_intermediate_size')) ??
      need('intermediate_size', 'ffn_dim'),
    feedForwardMatrices: isOpt ? 2 : 3,
    experts:
      experts === undefined
        ? undefined
        : {
            ...{ count: experts, perToken: need('num_experts_per_tok', 'experts_per_token') },
            ...(shared ? { shared } : {}),
          },
    ...(latentAttention && { latentAttention }),
    ...windowOf(config, need('num_hidden_layers')),
    vocabSize: need('vocab_size'),
    tiedEmbeddings: config['tie_word_embeddings'] === true || isOpt || isGemma,
    contextTokensMax: need('max_position_embeddings'),
    bytesPerValue: (config['dtype'] ?? config['torch_dtype']) === 'float32' ? 4 : 2,
    source: `config.json of ${name}`,
  };
}

type Read = (...keys: string[]) => number | undefined;

/** DeepSeek's names; a config without a compressed KV vector has none. */
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

/** Layers with a window, as `layer_types`, or one full layer in so many, tells them. */
function windowOf(
  config: Readonly<Record<string, unknown>>,
  layers: number,
): Pick<ModelSpec, 'slidingWindow'> {
  const { sliding_window: tokens, layer_types: types, sliding_window_pattern: pattern } = config;
  // Qwen's configs name a window that `use_sliding_window` switches off.
  if (typeof tokens !== 'number' || config['use_sliding_window'] === false) return {};
  const windowed = Array.isArray(types)
    ? types.filter((type) => type === 'sliding_attention').length / layers
    : typeof pattern === 'number' && pattern > 1
      ? 1 - 1 / pattern
      : (defaultWindowShares[String(config['model_type'])] ?? 1);
  return windowed > 0 ? { slidingWindow: { tokens, layersShare: windowed } } : {};
}

/** Of configs older than `layer_types`; others with a window have it in every layer. */
const defaultWindowShares: Readonly<Record<string, number>> = {
  ...{ gemma2: 1 / 2, gemma3: 5 / 6, gemma3_text: 5 / 6, gpt_oss: 1 / 2 },
};

/** Operations of one layer's attention for one pair of a query and a key, all heads. */
export function attentionFlopsPerPair(model: ModelSpec): number {
  const { attentionHeads, headDim, latentAttention: latent } = model;
  if (latent === undefined) return 4 * attentionHeads * headDim;
  return 2 * attentionHeads * (latent.qkNopeHeadDim + latent.qkRopeHeadDim + latent.vHeadDim);
}

/** Weights of one layer outside its feed-forward part. */
export function attentionLayerParameters(model: ModelSpec): number {
  return attentionParameters(model) + routerParameters(model);
}

function attentionParameters(model: ModelSpec): number {
  const { latentAttention: latent } = model;
  if (latent) {
    const { qLoraRank, kvLoraRank, qkNopeHeadDim, qkRopeHeadDim, vHeadDim } = latent;
    const heads = model.attentionHeads;
    return (
      qLoraRank * (model.hiddenSize + heads * (qkNopeHeadDim + qkRopeHeadDim)) +
      model.hiddenSize * (kvLoraRank + qkRopeHeadDim) +
      kvLoraRank * heads * (qkNopeHeadDim + vHeadDim) +
      heads * vHeadDim * model.hiddenSize
    );
  }
  const { hiddenSize, attentionHeads, kvHeads, headDim } = model;
  return hiddenSize * headDim * (2 * attentionHeads + 2 * kvHeads);
}

/** Weights of one feed-forward part: of one expert in a mixture of experts. */
export function feedForwardParametersOf(model: ModelSpec): number {
  return model.feedForwardMatrices * model.hiddenSize * model.intermediateSize;
}

function routerParameters(model: ModelSpec): number {
  return model.experts === undefined ? 0 : model.hiddenSize * model.experts.count;
}
