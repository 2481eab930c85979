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
  readonly experts: { readonly count: number; readonly perToken: number } | undefined;
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

/** Weights of one layer; a mixture of experts counts all of them. Norms, < 0.1 %, are left out. */
export function layerParameters(model: ModelSpec): number {
  const { count } = model.experts ?? { count: 1 };
  return (
    attentionParameters(model) + count * feedForwardParameters(model) + routerParameters(model)
  );
}

/** Weights of one layer that one token goes through. */
export function layerParametersPerToken(model: ModelSpec): number {
  const { perToken } = model.experts ?? { perToken: 1 };
  return (
    attentionParameters(model) + perToken * feedForwardParameters(model) + routerParameters(model)
  );
}

/** Weights of one layer that a batch reads: of a mixture of experts only those touched. */
export function layerParametersTouched(model: ModelSpec, tokens: number): number {
  const experts = model.experts === undefined ? 1 : expertsTouched(model, tokens);
  return (
    attentionParameters(model) + experts * feedForwardParameters(model) + routerParameters(model)
  );
}

/** Experts of one layer that some of the tokens goes to, each choosing evenly and independently. */
export function expertsTouched({ experts }: ModelSpec, tokens: number): number {
  if (experts === undefined) return 0;
  return experts.count * (1 - (1 - experts.perToken / experts.count) ** tokens);
}

/** All weights. */
export function modelParameters(model: ModelSpec): number {
  const embeddings = model.vocabSize * model.hiddenSize * (model.tiedEmbeddings ? 1 : 2);
  return embeddings + model.layers * layerParameters(model);
}

/** Bytes of all weights, over all GPUs. */
export function weightBytes(model: ModelSpec): number {
  return modelParameters(model) * model.bytesPerValue;
}

/** KV cache bytes of one token, over all GPUs: 2 · layers · KV heads · head size · bytes. */
export function kvBytesPerToken(model: ModelSpec): number {
  const { kvBytesPerValue = model.bytesPerValue } = model;
  return 2 * model.layers * model.kvHeads * model.headDim * kvBytesPerValue;
}

/** The same on one GPU: KV heads are split over the GPUs until each has one, then copied. */
export function kvBytesPerTokenPerGpu(model: ModelSpec, tensorParallelSize: number): number {
  return kvBytesPerToken(model) / Math.min(tensorParallelSize, model.kvHeads);
}

/**
 * Reads the shape from a Hugging Face `config.json` of a Llama-like model (Llama, Mistral, Qwen2,
 * Qwen3, Qwen3-MoE, Mixtral, OPT).
 *
 * @throws {InputError} If a number is missing that has no default.
 */
export function modelFromConfig(
  name: string,
  config: Readonly<Record<string, unknown>>,
): ModelSpec {
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
  const experts = read('num_experts', 'num_local_experts');
  const isOpt = config['model_type'] === 'opt';
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
      experts === undefined ? undefined : { count: experts, perToken: need('num_experts_per_tok') },
    vocabSize: need('vocab_size'),
    tiedEmbeddings: config['tie_word_embeddings'] === true || isOpt,
    contextTokensMax: need('max_position_embeddings'),
    bytesPerValue: config['torch_dtype'] === 'float32' ? 4 : 2,
    source: `config.json of ${name}`,
  };
}

function attentionParameters(model: ModelSpec): number {
  const { hiddenSize, attentionHeads, kvHeads, headDim } = model;
  return hiddenSize * headDim * (2 * attentionHeads + 2 * kvHeads);
}

function feedForwardParameters(model: ModelSpec): number {
  return model.feedForwardMatrices * model.hiddenSize * model.intermediateSize;
}

function routerParameters(model: ModelSpec): number {
  return model.experts === undefined ? 0 : model.hiddenSize * model.experts.count;
}
