// The shape of a transformer, and what follows from it: parameters, bytes, and operations.
import { InputError } from '../../base/index.ts';
import { bytesPerWeight, precisionNamed, type WeightPrecision } from './precision.ts';

/** The numbers of a model's `config.json` that determine its cost. */
export interface ModelSpec {
  /** Hugging Face id. */
  readonly name: string;
  /** The folder or file that it was read from; undefined for entries of the catalogue. */
  readonly given?: string;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly attentionHeads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Width of the dense feed-forward part; in a mixture of experts, that of one expert. */
  readonly intermediateSize: number;
  /** Matrices of a feed-forward part: 3 with a gate (SwiGLU), 2 without. */
  readonly feedForwardMatrices: 2 | 3;
  readonly experts:
    | {
        readonly count: number;
        readonly perToken: number;
        /** Experts that every token goes through; default 0. */
        readonly shared?: number;
        /**
         * Whether the router's product runs in float32, which GPUs compute outside their tensor cores; each GPU
         * computes the whole product.
         */
        readonly hasFloat32Router?: boolean;
      }
    | undefined;
  /** Multi-head latent attention (DeepSeek), whose KV cache is one compressed vector per token. */
  readonly latentAttention?: LatentAttention;
  /** Layers with sliding-window attention: the window in tokens, and their share of all layers. */
  readonly slidingWindow?: { readonly tokens: number; readonly layersShare: number };
  /**
   * Whether queries and keys are normalized over all heads: the GPUs that share them sum their squares in a
   * small all-reduce of their own.
   */
  readonly normalizesAllHeads?: boolean;
  /** What a model returns instead of text: vectors (`embed`), or scores of pairs (`score`). */
  readonly pooling?: PoolingSpec;
  readonly vocabSize: number;
  /** Whether the output layer shares the embedding's weights. */
  readonly tiedEmbeddings: boolean;
  /** Longest context that the model was made for, in tokens. */
  readonly contextTokensMax: number;
  /** Bytes of one weight and of one KV value as vLLM loads it by default. */
  readonly bytesPerValue: number;
  /** Precision of most weights, where the checkpoint stores them in fewer bits than `bytesPerValue`. */
  readonly weightPrecision?: WeightPrecision;
  /** Bytes of one KV value where it differs from `bytesPerValue`: 1 for an fp8 KV cache. */
  readonly kvBytesPerValue?: number;
  /** Where these numbers come from. */
  readonly source: string;
}

/** A model that returns vectors or scores. */
export interface PoolingSpec {
  readonly task: 'embed' | 'score';
  /** Whether each token attends to all others, as in BERT: no KV cache outlives a prompt, which is computed at once. */
  readonly isEncoder?: boolean;
  /** Names of the classes that it scores, as config.json lists them. @default one class */
  readonly labels?: readonly string[];
  /** Lengths to which vectors may be shortened, as config.json lists them. */
  readonly matryoshka?: 'any' | readonly number[];
}

/** Sizes of multi-head latent attention, under the names of DeepSeek's config.json. */
export interface LatentAttention {
  readonly qLoraRank: number;
  readonly kvLoraRank: number;
  readonly qkNopeHeadDim: number;
  readonly qkRopeHeadDim: number;
  readonly vHeadDim: number;
}

/** Weights of one layer; a mixture of experts counts all of them. Norms, < 0.1 %, are omitted. */
export function layerParameters(model: ModelSpec): number {
  const { count, shared = 0 } = model.experts ?? { count: 1 };
  return (
    attentionParameters(model) +
    (count + shared) * feedForwardParametersOf(model) +
    routerParameters(model)
  );
}

/** Feed-forward weights of one layer that one token uses. */
export function feedForwardPerToken(model: ModelSpec): number {
  const { perToken, shared = 0 } = model.experts ?? { perToken: 1 };
  return (perToken + shared) * feedForwardParametersOf(model);
}

/** Feed-forward weights of one layer that a batch reads: only the experts that some token uses. */
export function feedForwardTouched(model: ModelSpec, tokens: number, evenness?: number): number {
  const experts =
    model.experts === undefined
      ? 1
      : expertsTouched(model, tokens, evenness) + (model.experts.shared ?? 0);
  return experts * feedForwardParametersOf(model);
}

/**
 * Experts of one layer that at least one token uses, each token choosing independently.
 *
 * @param evenness Experts are not equally popular: their shares follow a gamma distribution of this shape
 *   (1: exponential; variance of the shares 1 / shape). By default all are equally popular.
 */
export function expertsTouched(
  { experts }: ModelSpec,
  tokens: number,
  evenness: number = Number.POSITIVE_INFINITY,
): number {
  if (experts === undefined) return 0;
  const { count, perToken } = experts;
  if (!Number.isFinite(evenness)) return count * (1 - (1 - perToken / count) ** tokens);
  // One token uses `perToken` different experts, however popular they are.
  const others = Math.max(0, tokens - 1) * (perToken / count);
  const missed = (1 - perToken / count) * (1 + others / evenness) ** -evenness;
  return count * (1 - missed);
}

/** All weights. */
export function modelParameters(model: ModelSpec): number {
  return embeddingParameters(model) + model.layers * layerParameters(model);
}

/** Weights of the embedding and of the output layer. */
export function embeddingParameters(model: ModelSpec): number {
  return model.vocabSize * model.hiddenSize * (model.tiedEmbeddings ? 1 : 2);
}

/**
 * Bytes of one weight of a matrix product, as vLLM loads it.
 *
 * @param quantization vLLM's `--quantization`; it overrides what the checkpoint declares.
 */
export function bytesPerWeightOf(model: ModelSpec, quantization = ''): number {
  const precision = precisionNamed(quantization) ?? model.weightPrecision;
  return precision === undefined ? model.bytesPerValue : bytesPerWeight[precision];
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

/** Share of a context's KV cache that is still read when some layers have a sliding window. */
export function kvShareRead({ slidingWindow }: ModelSpec, contextTokens: number): number {
  if (slidingWindow === undefined || contextTokens <= slidingWindow.tokens) return 1;
  const { tokens, layersShare } = slidingWindow;
  return 1 - layersShare * (1 - tokens / contextTokens);
}

/** KV bytes of one token on one GPU: KV heads are split over the GPUs until each has one, then copied. */
export function kvBytesPerTokenPerGpu(model: ModelSpec, tensorParallelSize: number): number {
  // The compressed vector of latent attention serves all heads: each GPU has its own copy.
  if (model.latentAttention) return kvBytesPerToken(model);
  return kvBytesPerToken(model) / Math.min(tensorParallelSize, model.kvHeads);
}

/** Attention heads, as far as tensor parallelism is concerned. */
export type AttentionShape = Pick<ModelSpec, 'attentionHeads' | 'kvHeads' | 'latentAttention'>;

/**
 * Whether this many GPUs can share each layer's attention: query heads evenly, KV heads evenly or as
 * whole copies.
 *
 * @example sharesHeads({ attentionHeads: 40, kvHeads: 10 }, 4); // false: 10 KV heads on 4 GPUs
 */
export function sharesHeads(model: AttentionShape, tensorParallelSize: number): boolean {
  return (
    model.attentionHeads % tensorParallelSize === 0 && sharesKvHeads(model, tensorParallelSize)
  );
}

function sharesKvHeads({ kvHeads, latentAttention }: AttentionShape, gpus: number): boolean {
  return latentAttention !== undefined || kvHeads % gpus === 0 || gpus % kvHeads === 0;
}

/** @throws {InputError} Unless `sharesHeads`, without which vLLM does not start. */
export function checkHeadsShared(model: ModelSpec, tensorParallelSize: number): void {
  if (sharesHeads(model, tensorParallelSize)) return;
  const [count, kind] =
    model.attentionHeads % tensorParallelSize === 0
      ? [model.kvHeads, 'KV heads']
      : [model.attentionHeads, 'attention heads'];
  throw new InputError(
    `${model.name} has ${count} ${kind}, which ${tensorParallelSize} GPUs (tensor parallel) cannot ` +
      'share evenly: vLLM would not start',
  );
}

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

/** Parameters that one token uses: those of a model with no more experts than that. */
export function activeParameters(model: ModelSpec): number {
  const { experts } = model;
  return modelParameters({
    ...model,
    ...(experts && { experts: { ...experts, count: experts.perToken } }),
  });
}
