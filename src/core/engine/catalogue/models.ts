// The catalogue of models. Shapes come from each model's config.json.
import { InputError } from '../../base/index.ts';
import { type LatentAttention, type ModelSpec, modelParameters } from './model-spec.ts';
import { listed, type NearestModels, nearestModels } from './nearest-models.ts';
import { bareCheckpointName, precisionNamed } from './precision.ts';

/** Columns of a row: layers, hidden, heads, KV heads, head size, intermediate, vocabulary, context. */
type Row = readonly [number, number, number, number, number, number, number, number];

const deepSeekAttention: LatentAttention = {
  qLoraRank: 1536,
  kvLoraRank: 512,
  qkNopeHeadDim: 128,
  qkRopeHeadDim: 64,
  vHeadDim: 128,
};

/**
 * `weightPrecision` is that of the vendor's own checkpoint: gpt-oss comes in MXFP4, DeepSeek-V3, Kimi-K2
 * and MiniMax-M2 in FP8, Kimi-K2.5 in int4. DeepSeek's first layers (1 to 3) are dense; their share of
 * the time is ignored.
 */
export const models: readonly ModelSpec[] = [
  ...(
    [
      ['facebook/opt-125m', [12, 768, 12, 12, 64, 3072, 50_272, 2048]],
      ['facebook/opt-1.3b', [24, 2048, 32, 32, 64, 8192, 50_272, 2048]],
      ['distilbert/distilgpt2', [6, 768, 12, 12, 64, 3072, 50_257, 1024]],
    ] as const
  ).map(([name, row]) => ({ ...spec(name, row, { tied: true }), feedForwardMatrices: 2 as const })),
  spec('HuggingFaceTB/SmolLM2-135M', [30, 576, 9, 3, 64, 1536, 49_152, 8192], { tied: true }),
  spec('HuggingFaceTB/SmolLM2-360M', [32, 960, 15, 5, 64, 2560, 49_152, 8192], { tied: true }),
  spec('HuggingFaceTB/SmolLM2-1.7B', [24, 2048, 32, 32, 64, 8192, 49_152, 8192], { tied: true }),
  spec('Qwen/Qwen3-0.6B', [28, 1024, 16, 8, 128, 3072, 151_936, 40_960], { tied: true }),
  spec('Qwen/Qwen3-1.7B', [28, 2048, 16, 8, 128, 6144, 151_936, 40_960], { tied: true }),
  spec('Qwen/Qwen3-4B', [36, 2560, 32, 8, 128, 9728, 151_936, 40_960], { tied: true }),
  spec('Qwen/Qwen3-8B', [36, 4096, 32, 8, 128, 12_288, 151_936, 40_960]),
  spec('Qwen/Qwen3-14B', [40, 5120, 40, 8, 128, 17_408, 151_936, 40_960]),
  spec('Qwen/Qwen3-32B', [64, 5120, 64, 8, 128, 25_600, 151_936, 40_960]),
  spec('Qwen/Qwen3-30B-A3B', [48, 2048, 32, 4, 128, 768, 151_936, 40_960], {
    experts: { count: 128, perToken: 8 },
  }),
  spec('Qwen/Qwen3-235B-A22B', [94, 4096, 64, 4, 128, 1536, 151_936, 40_960], {
    experts: { count: 128, perToken: 8 },
  }),
  spec('Qwen/Qwen3-Coder-480B-A35B', [62, 6144, 96, 8, 128, 2560, 151_936, 262_144], {
    experts: { count: 160, perToken: 8 },
  }),
  // Three of four layers have linear attention, whose state does not grow with the context: they count as
  // layers with a short window.
  spec('Qwen/Qwen3-Next-80B-A3B', [48, 2048, 16, 2, 256, 512, 151_936, 262_144], {
    experts: { count: 512, perToken: 10, shared: 1 },
    slidingWindow: { tokens: 128, layersShare: 3 / 4 },
  }),
  spec('Qwen/Qwen3.5-397B-A17B', [60, 4096, 32, 2, 256, 1024, 248_320, 262_144], {
    experts: { count: 512, perToken: 10, shared: 1 },
    slidingWindow: { tokens: 128, layersShare: 3 / 4 },
  }),
  spec('meta-llama/Llama-3.2-1B', [16, 2048, 32, 8, 64, 8192, 128_256, 131_072], { tied: true }),
  spec('meta-llama/Llama-3.2-3B', [28, 3072, 24, 8, 128, 8192, 128_256, 131_072], { tied: true }),
  spec('meta-llama/Llama-3.1-8B', [32, 4096, 32, 8, 128, 14_336, 128_256, 131_072]),
  spec('meta-llama/Llama-3.1-70B', [80, 8192, 64, 8, 128, 28_672, 128_256, 131_072]),
  spec('meta-llama/Llama-3.3-70B', [80, 8192, 64, 8, 128, 28_672, 128_256, 131_072]),
  spec('mistralai/Mistral-7B-v0.3', [32, 4096, 32, 8, 128, 14_336, 32_768, 32_768]),
  spec('mistralai/Mixtral-8x7B-v0.1', [32, 4096, 32, 8, 128, 14_336, 32_000, 32_768], {
    experts: { count: 8, perToken: 2 },
  }),
  spec('mistralai/Mixtral-8x22B-v0.1', [56, 6144, 48, 8, 128, 16_384, 32_000, 65_536], {
    experts: { count: 8, perToken: 2 },
  }),
  spec('mistralai/Mistral-Nemo-2407', [40, 5120, 32, 8, 128, 14_336, 131_072, 131_072]),
  ...['mistralai/Mistral-Small-24B-2501', 'mistralai/Devstral-Small-2505'].map((name) =>
    spec(name, [40, 5120, 32, 8, 128, 32_768, 131_072, 32_768]),
  ),
  ...['mistralai/Mistral-Small-3.1-24B-2503', 'mistralai/Mistral-Small-3.2-24B-2506'].map((name) =>
    spec(name, [40, 5120, 32, 8, 128, 32_768, 131_072, 131_072]),
  ),
  spec('mistralai/Magistral-Small-2506', [40, 5120, 32, 8, 128, 32_768, 131_072, 40_960]),
  spec('mistralai/Mistral-Large-2411', [88, 12_288, 96, 8, 128, 28_672, 32_768, 131_072]),
  spec('meta-llama/Llama-2-7b', [32, 4096, 32, 32, 128, 11_008, 32_000, 4096]),
  spec('meta-llama/Llama-2-13b', [40, 5120, 40, 40, 128, 13_824, 32_000, 4096]),
  spec('meta-llama/Llama-2-70b', [80, 8192, 64, 8, 128, 28_672, 32_000, 4096]),
  spec('meta-llama/Llama-3-8B', [32, 4096, 32, 8, 128, 14_336, 128_256, 8192]),
  spec('meta-llama/Llama-3-70B', [80, 8192, 64, 8, 128, 28_672, 128_256, 8192]),
  spec('meta-llama/Llama-4-Scout-17B-16E', [48, 5120, 40, 8, 128, 8192, 202_048, 10_485_760], {
    experts: { count: 16, perToken: 1, shared: 1 },
    slidingWindow: { tokens: 8192, layersShare: 3 / 4 },
  }),
  // Every second layer has 128 experts, the others a dense part of twice their width: an average of both.
  spec('meta-llama/Llama-4-Maverick-17B-128E', [48, 5120, 40, 8, 128, 8192, 202_048, 1_048_576], {
    experts: { count: 64, perToken: 1, shared: 1 },
    slidingWindow: { tokens: 8192, layersShare: 3 / 4 },
  }),
  spec('TinyLlama/TinyLlama-1.1B-Chat-v1.0', [22, 2048, 32, 4, 64, 5632, 32_000, 2048]),
  spec('meta-llama/Llama-3.1-405B', [126, 16_384, 128, 8, 128, 53_248, 128_256, 131_072]),
  spec('Qwen/Qwen2.5-7B', [28, 3584, 28, 4, 128, 18_944, 152_064, 32_768]),
  spec('Qwen/Qwen2.5-0.5B', [24, 896, 14, 2, 64, 4864, 151_936, 32_768], { tied: true }),
  spec('Qwen/Qwen2.5-1.5B', [28, 1536, 12, 2, 128, 8960, 151_936, 32_768], { tied: true }),
  spec('Qwen/Qwen2.5-3B', [36, 2048, 16, 2, 128, 11_008, 151_936, 32_768], { tied: true }),
  spec('Qwen/Qwen2.5-14B', [48, 5120, 40, 8, 128, 13_824, 152_064, 32_768]),
  ...['Qwen/Qwen2.5-32B', 'Qwen/QwQ-32B'].map((name) =>
    spec(name, [64, 5120, 40, 8, 128, 27_648, 152_064, 32_768]),
  ),
  spec('Qwen/Qwen2.5-72B', [80, 8192, 64, 8, 128, 29_568, 152_064, 32_768]),
  spec('Qwen/Qwen2-0.5B', [24, 896, 14, 2, 64, 4864, 151_936, 32_768], { tied: true }),
  spec('Qwen/Qwen2-1.5B', [28, 1536, 12, 2, 128, 8960, 151_936, 32_768], { tied: true }),
  spec('Qwen/Qwen2-7B', [28, 3584, 28, 4, 128, 18_944, 152_064, 32_768]),
  spec('Qwen/Qwen2-72B', [80, 8192, 64, 8, 128, 29_568, 152_064, 32_768]),
  spec('openai/gpt-oss-20b', [24, 2880, 64, 8, 64, 2880, 201_088, 131_072], {
    ...{ experts: { count: 32, perToken: 4 }, weightPrecision: 'fp4' },
    slidingWindow: { tokens: 128, layersShare: 1 / 2 },
  }),
  spec('openai/gpt-oss-120b', [36, 2880, 64, 8, 64, 2880, 201_088, 131_072], {
    ...{ experts: { count: 128, perToken: 4 }, weightPrecision: 'fp4' },
    slidingWindow: { tokens: 128, layersShare: 1 / 2 },
  }),
  // Gemma 2: every second layer looks back 4,096 tokens; Gemma 3: five of six look back 1,024.
  spec('google/gemma-2-2b', [26, 2304, 8, 4, 256, 9216, 256_000, 8192], {
    ...{ tied: true, slidingWindow: { tokens: 4096, layersShare: 1 / 2 } },
  }),
  spec('google/gemma-2-9b', [42, 3584, 16, 8, 256, 14_336, 256_000, 8192], {
    ...{ tied: true, slidingWindow: { tokens: 4096, layersShare: 1 / 2 } },
  }),
  spec('google/gemma-2-27b', [46, 4608, 32, 16, 128, 36_864, 256_000, 8192], {
    ...{ tied: true, slidingWindow: { tokens: 4096, layersShare: 1 / 2 } },
  }),
  spec('google/gemma-3-1b', [26, 1152, 4, 1, 256, 6912, 262_144, 32_768], {
    ...{ tied: true, slidingWindow: { tokens: 512, layersShare: 5 / 6 } },
  }),
  spec('google/gemma-3-4b', [34, 2560, 8, 4, 256, 10_240, 262_208, 131_072], {
    ...{ tied: true, slidingWindow: { tokens: 1024, layersShare: 5 / 6 } },
  }),
  spec('google/gemma-3-12b', [48, 3840, 16, 8, 256, 15_360, 262_208, 131_072], {
    ...{ tied: true, slidingWindow: { tokens: 1024, layersShare: 5 / 6 } },
  }),
  spec('google/gemma-3-27b', [62, 5376, 32, 16, 128, 21_504, 262_208, 131_072], {
    ...{ tied: true, slidingWindow: { tokens: 1024, layersShare: 5 / 6 } },
  }),
  spec('microsoft/phi-4', [40, 5120, 40, 10, 128, 17_920, 100_352, 16_384]),
  spec('01-ai/Yi-34B', [60, 7168, 56, 8, 128, 20_480, 64_000, 4096]),
  spec('codellama/CodeLlama-34b', [48, 8192, 64, 8, 128, 22_016, 32_000, 16_384]),
  spec('ibm-granite/granite-3.1-8b', [40, 4096, 32, 8, 128, 12_800, 49_155, 131_072], {
    tied: true,
  }),
  spec('ibm-granite/granite-3.0-3b-a800m', [32, 1536, 24, 8, 64, 512, 49_155, 4096], {
    ...{ tied: true, experts: { count: 40, perToken: 8 } },
  }),
  // GLM's first layers (1 to 3) are dense, like DeepSeek's.
  ...['zai-org/GLM-4.5', 'zai-org/GLM-4.6', 'zai-org/GLM-4.7'].map((name) =>
    spec(name, [92, 5120, 96, 8, 128, 1536, 151_552, 202_752], {
      experts: { count: 160, perToken: 8, shared: 1 },
    }),
  ),
  spec('zai-org/GLM-4.5-Air', [46, 4096, 96, 8, 128, 1408, 151_552, 131_072], {
    experts: { count: 128, perToken: 8, shared: 1 },
  }),
  spec('zai-org/GLM-5', [78, 6144, 64, 1, 128, 2048, 154_880, 202_752], {
    experts: { count: 256, perToken: 8, shared: 1 },
    latentAttention: {
      ...{ qLoraRank: 2048, kvLoraRank: 512, qkNopeHeadDim: 192, qkRopeHeadDim: 64 },
      vHeadDim: 256,
    },
  }),
  // vLLM computes its router in float32 and norms queries and keys over all heads
  // (https://github.com/vllm-project/vllm/blob/01d995867/vllm/model_executor/models/minimax_m2.py).
  ...['', '.1', '.5', '.7'].map((version) =>
    spec(`MiniMaxAI/MiniMax-M2${version}`, [62, 3072, 48, 8, 128, 1536, 200_064, 196_608], {
      ...{ experts: { count: 256, perToken: 8, hasFloat32Router: true }, weightPrecision: 'fp8' },
      normalizesAllHeads: true,
    }),
  ),
  // The sparse attention of V3.2 is not modelled: it saves time at contexts far beyond 2,048 tokens.
  ...['V3', 'V3.1', 'V3.2', 'V3.2-Exp', 'R1'].map((version) => ({
    ...spec(`deepseek-ai/DeepSeek-${version}`, [61, 7168, 128, 1, 128, 2048, 129_280, 163_840], {
      ...{ experts: { count: 256, perToken: 8, shared: 1 }, weightPrecision: 'fp8' },
    }),
    latentAttention: deepSeekAttention,
  })),
  ...(
    [
      ['moonshotai/Kimi-K2', 'fp8'],
      ['moonshotai/Kimi-K2.5', 'int4'],
    ] as const
  ).map(([name, weightPrecision]) => ({
    ...spec(name, [61, 7168, 64, 1, 128, 2048, 163_840, 262_144], {
      experts: { count: 384, perToken: 8, shared: 1 },
      weightPrecision,
    }),
    latentAttention: deepSeekAttention,
  })),
  // Models that return vectors or scores. RoBERTa has two more positions than tokens of context; vLLM takes
  // the context of sentence transformers from their `max_seq_length`.
  ...(
    [
      ['BAAI/bge-m3', 24, 1024, 16, 4096, 250_002, 8192],
      ['BAAI/bge-large-en-v1.5', 24, 1024, 16, 4096, 30_522, 512],
      ['BAAI/bge-base-en-v1.5', 12, 768, 12, 3072, 30_522, 512],
      ['BAAI/bge-small-en-v1.5', 12, 384, 12, 1536, 30_522, 512],
      ['intfloat/multilingual-e5-large', 24, 1024, 16, 4096, 250_002, 512],
      ['intfloat/multilingual-e5-large-instruct', 24, 1024, 16, 4096, 250_002, 512],
      ['intfloat/multilingual-e5-small', 12, 384, 12, 1536, 250_037, 512],
      ['intfloat/e5-large-v2', 24, 1024, 16, 4096, 30_522, 512],
      ['thenlper/gte-large', 24, 1024, 16, 4096, 30_522, 512],
      ['sentence-transformers/all-MiniLM-L6-v2', 6, 384, 12, 1536, 30_522, 256],
      ['sentence-transformers/all-MiniLM-L12-v2', 12, 384, 12, 1536, 30_522, 128],
      ['Snowflake/snowflake-arctic-embed-l-v2.0', 24, 1024, 16, 4096, 250_002, 8192],
    ] as const
  ).map((row) => encoder(row, 'embed')),
  ...(
    [
      ['BAAI/bge-reranker-v2-m3', 24, 1024, 16, 4096, 250_002, 8192],
      ['BAAI/bge-reranker-large', 24, 1024, 16, 4096, 250_002, 512],
      ['BAAI/bge-reranker-base', 12, 768, 12, 3072, 250_002, 512],
      ['cross-encoder/ms-marco-MiniLM-L-6-v2', 6, 384, 12, 1536, 30_522, 512],
    ] as const
  ).map((row) => encoder(row, 'score')),
  spec('intfloat/e5-mistral-7b-instruct', [32, 4096, 32, 8, 128, 14_336, 32_000, 32_768], {
    ...{ tied: true, pooling: { task: 'embed' } },
  }),
  spec('Alibaba-NLP/gte-Qwen2-1.5B-instruct', [28, 1536, 12, 2, 128, 8960, 151_646, 131_072], {
    ...{ tied: true, pooling: { task: 'embed' } },
  }),
  spec('Alibaba-NLP/gte-Qwen2-7B-instruct', [28, 3584, 28, 4, 128, 18_944, 151_646, 131_072], {
    ...{ tied: true, pooling: { task: 'embed' } },
  }),
  ...(
    [
      ['0.6B', [28, 1024, 16, 8, 128, 3072, 151_669, 32_768]],
      ['4B', [36, 2560, 32, 8, 128, 9728, 151_665, 40_960]],
      ['8B', [36, 4096, 32, 8, 128, 12_288, 151_665, 40_960]],
    ] as const
  ).flatMap(([size, row]) => [
    spec(`Qwen/Qwen3-Embedding-${size}`, row, { tied: true, pooling: { task: 'embed' } }),
    spec(`Qwen/Qwen3-Reranker-${size}`, row, { tied: true, pooling: { task: 'score' } }),
  ]),
];

/** Name, layers, hidden size, heads, intermediate size, vocabulary, context. */
type EncoderRow = readonly [string, number, number, number, number, number, number];

/** BERT or XLM-RoBERTa: a feed-forward part without a gate, and no output layer. */
function encoder(
  [name, layers, hidden, heads, intermediate, vocabulary, context]: EncoderRow,
  task: 'embed' | 'score',
): ModelSpec {
  const row = [
    layers,
    hidden,
    heads,
    heads,
    hidden / heads,
    intermediate,
    vocabulary,
    context,
  ] as const;
  return {
    ...spec(name, row, { tied: true, pooling: { task, isEncoder: true } }),
    feedForwardMatrices: 2,
  };
}

/**
 * Finds a model by its id, with or without its owner, in any case; suffixes that name a fine-tuned
 * variant, a date or a precision of the same shape (`-Instruct`, `-Base`, `-2507`, `-FP8`) are ignored.
 *
 * @throws {UnknownModelError} If it is not in the catalogue; the message names the nearest ones that are.
 * @example findModel('qwen3-8b').layers; // 36
 */
export function findModel(name: string): ModelSpec {
  const known = (wanted: string) =>
    models.find((model) => [comparable(model.name), shortName(model.name)].includes(wanted));
  // A copy by another owner, in another precision, or in a folder has the same shape.
  const bare = comparable(bareCheckpointName(name));
  const found =
    known(comparable(name)) ??
    known(bare) ??
    models.find((model) => squashed(shortName(model.name)) === squashed(bare));
  if (found) {
    const weightPrecision = precisionNamed(name) ?? found.weightPrecision;
    const own = name.includes('/') ? name : found.name;
    return { ...found, name: own, ...(weightPrecision && { weightPrecision }) };
  }
  throw new UnknownModelError(`Model "${name}" is not in the catalogue`, name);
}

/** Words in the names of models that make vectors or scores, not text. */
const poolingNames =
  /embed|rerank|reward|cross-encoder|(?:^|[/_-])(?:bge|e5|gte|minilm|sbert|mpnet|colbert|splade)(?:[_-]|$)/i;

/** The shape of a model is not known; the message says which models have similar names. */
export class UnknownModelError extends InputError {
  readonly #reason: string;
  readonly #nearest: NearestModels;

  constructor(reason: string, name: string) {
    const isPooling = poolingNames.test(name);
    const alike = models.filter(({ pooling }) => (pooling !== undefined) === isPooling);
    const nearest = nearestModels(
      name,
      alike.map((model) => ({ name: model.name, billions: modelParameters(model) / 1e9 })),
    );
    super(
      `${reason}; did you mean ${listed(nearest.names, 'or')}?${nearest.areSimilar ? '' : ` ${others}`} For another model give its config.json`,
    );
    this.#reason = reason;
    this.#nearest = nearest;
  }

  /**
   * Returns the message for a program that can run the model as another one.
   *
   * @param how Continues `emulate it as one of them, or with a size such as 8B, `; contains `NAME` for the model.
   */
  withStandIn(how: string): string {
    const { names, areSimilar } = this.#nearest;
    const [first = ''] = names;
    return (
      `${this.#reason}; the nearest models are ${listed(names, 'and')}${areSimilar ? '' : ', none of them similar'}: ` +
      `emulate it as one of them, or with a size such as 8B, ${how.replaceAll('NAME', first)}`
    );
  }
}

const others = 'None is similar; "spillway config models" lists all.';

function spec(
  name: string,
  [layers, hiddenSize, attentionHeads, kvHeads, headDim, intermediateSize, vocab, context]: Row,
  { tied = false, ...more }: { tied?: boolean } & Partial<ModelSpec> = {},
): ModelSpec {
  return {
    name,
    layers,
    hiddenSize,
    attentionHeads,
    kvHeads,
    headDim,
    intermediateSize,
    feedForwardMatrices: 3,
    experts: undefined,
    vocabSize: vocab,
    tiedEmbeddings: tied,
    contextTokensMax: context,
    bytesPerValue: 2,
    source: `https://huggingface.co/${name}/blob/main/config.json`,
    ...more,
  };
}

function shortName(name: string): string {
  return comparable(name.slice(name.indexOf('/') + 1));
}

/** The name without the suffix of a fine-tuned variant. */
function comparable(name: string): string {
  return name
    .toLowerCase()
    .replace(/(^|\/)meta-llama-/, '$1llama-')
    .replace(/deepseek-r1-distill-llama-/, 'llama-3.1-')
    .replace(/deepseek-r1-distill-qwen-/, 'qwen2.5-')
    .replace(/-(vl|coder|math|nemotron|instruct)(?=-(v0\.\d|\d+(\.\d)?b))/, '')
    .replace(/(-(instruct|thinking|base|it|chat|hf|terminus|preview|\d{4}|v\d\.\d))+$/, '');
}

/** The name without separators: `LLAMA3.1_70B` is Llama-3.1-70B. */
function squashed(name: string): string {
  return name.replace(/[^a-z0-9]/g, '');
}
