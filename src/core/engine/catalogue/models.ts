// The models that Spillway knows by name. Shapes are those of each model's config.json.
import { InputError, nearest } from '../../base/index.ts';
import type { LatentAttention, ModelSpec } from './model-spec.ts';
import { bareCheckpointName, precisionNamed } from './precision.ts';

/** Every row: layers, hidden, heads, KV heads, head size, intermediate, vocabulary, context. */
type Row = readonly [number, number, number, number, number, number, number, number];

const deepSeekAttention: LatentAttention = {
  qLoraRank: 1536,
  kvLoraRank: 512,
  qkNopeHeadDim: 128,
  qkRopeHeadDim: 64,
  vHeadDim: 128,
};

/**
 * `weightPrecision` is that of the maker's own checkpoint: gpt-oss comes in MXFP4, DeepSeek-V3 and
 * MiniMax-M2 in FP8. DeepSeek's first layers (1 to 3) are dense; their share of time is left
 * out.
 */
export const models: readonly ModelSpec[] = [
  {
    ...spec('facebook/opt-125m', [12, 768, 12, 12, 64, 3072, 50_272, 2048], { tied: true }),
    feedForwardMatrices: 2,
  },
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
  spec('meta-llama/Llama-3.2-1B', [16, 2048, 32, 8, 64, 8192, 128_256, 131_072], { tied: true }),
  spec('meta-llama/Llama-3.2-3B', [28, 3072, 24, 8, 128, 8192, 128_256, 131_072], { tied: true }),
  spec('meta-llama/Llama-3.1-8B', [32, 4096, 32, 8, 128, 14_336, 128_256, 131_072]),
  spec('meta-llama/Llama-3.1-70B', [80, 8192, 64, 8, 128, 28_672, 128_256, 131_072]),
  spec('meta-llama/Llama-3.3-70B', [80, 8192, 64, 8, 128, 28_672, 128_256, 131_072]),
  spec('mistralai/Mistral-7B-v0.3', [32, 4096, 32, 8, 128, 14_336, 32_768, 32_768]),
  spec('mistralai/Mixtral-8x7B-v0.1', [32, 4096, 32, 8, 128, 14_336, 32_000, 32_768], {
    experts: { count: 8, perToken: 2 },
  }),
  spec('meta-llama/Llama-3.1-405B', [126, 16_384, 128, 8, 128, 53_248, 128_256, 131_072]),
  spec('Qwen/Qwen2.5-7B', [28, 3584, 28, 4, 128, 18_944, 152_064, 32_768]),
  spec('Qwen/Qwen2.5-72B', [80, 8192, 64, 8, 128, 29_568, 152_064, 32_768]),
  spec('openai/gpt-oss-20b', [24, 2880, 64, 8, 64, 2880, 201_088, 131_072], {
    ...{ experts: { count: 32, perToken: 4 }, weightPrecision: 'fp4' },
    slidingWindow: { tokens: 128, layersShare: 1 / 2 },
  }),
  spec('openai/gpt-oss-120b', [36, 2880, 64, 8, 64, 2880, 201_088, 131_072], {
    ...{ experts: { count: 128, perToken: 4 }, weightPrecision: 'fp4' },
    slidingWindow: { tokens: 128, layersShare: 1 / 2 },
  }),
  // Gemma 2: every second layer looks back 4,096 tokens; Gemma 3: five of six look back 1,024.
  spec('google/gemma-2-9b', [42, 3584, 16, 8, 256, 14_336, 256_000, 8192], {
    ...{ tied: true, slidingWindow: { tokens: 4096, layersShare: 1 / 2 } },
  }),
  spec('google/gemma-2-27b', [46, 4608, 32, 16, 128, 36_864, 256_000, 8192], {
    ...{ tied: true, slidingWindow: { tokens: 4096, layersShare: 1 / 2 } },
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
  ...['MiniMaxAI/MiniMax-M2', 'MiniMaxAI/MiniMax-M2.5'].map((name) =>
    spec(name, [62, 3072, 48, 8, 128, 1536, 200_064, 196_608], {
      ...{ experts: { count: 256, perToken: 8 }, weightPrecision: 'fp8' },
    }),
  ),
  ...['deepseek-ai/DeepSeek-V3', 'deepseek-ai/DeepSeek-V3.1', 'deepseek-ai/DeepSeek-R1'].map(
    (name) => ({
      ...spec(name, [61, 7168, 128, 1, 128, 2048, 129_280, 163_840], {
        ...{ experts: { count: 256, perToken: 8, shared: 1 }, weightPrecision: 'fp8' },
      }),
      latentAttention: deepSeekAttention,
    }),
  ),
  ...['moonshotai/Kimi-K2', 'moonshotai/Kimi-K2.5'].map((name) => ({
    ...spec(name, [61, 7168, 64, 1, 128, 2048, 163_840, 262_144], {
      experts: { count: 384, perToken: 8, shared: 1 },
    }),
    latentAttention: deepSeekAttention,
  })),
];

/**
 * Finds a model by its id, with or without its owner, in any case; endings that name a tuning, a
 * date or a precision of the same shape (`-Instruct`, `-Base`, `-2507`, `-FP8`) are passed over.
 *
 * @throws {InputError} If it is not in the catalogue; names the nearest that is.
 * @example findModel('qwen3-8b').layers; // 36
 */
export function findModel(name: string): ModelSpec {
  const known = (wanted: string) =>
    models.find((model) => [comparable(model.name), shortName(model.name)].includes(wanted));
  // A copy of somebody else, in another precision, or in a folder, has the same shape.
  const found = known(comparable(name)) ?? known(comparable(bareCheckpointName(name)));
  if (found) {
    const weightPrecision = precisionNamed(name) ?? found.weightPrecision;
    const own = name.includes('/') ? name : found.name;
    return { ...found, name: own, ...(weightPrecision && { weightPrecision }) };
  }
  const names = models.map((model) => model.name);
  const near = nearest(name, [...names, ...names.map(shortName)]);
  const meant = models.find((model) => near === model.name || near === shortName(model.name));
  throw new InputError(
    `Model "${name}" is not in the catalogue; ${meant ? `did you mean ${meant.name}? ` : ''}known: ` +
      `${names.join(', ')}; for another give its config.json`,
  );
}

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

function comparable(name: string): string {
  return name
    .toLowerCase()
    .replace(/(^|\/)meta-llama-/, '$1llama-')
    .replace(/(-(instruct|thinking|base|it|chat|hf|\d{4}|v0\.\d))+$/, '');
}
