// Resolves a model, a GPU and vLLM's flags into an engine's settings.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import { kvBytesPerTokenPerGpu, type ModelSpec, modelParameters } from '../../core/engine/index.ts';
import { type EngineSpec, type SchedulerSettings, sizeEngine } from '../../core/layout/index.ts';
import { readGpuSpec, readModelSpec } from '../../io/models/index.ts';
import { readStepCostSource } from '../../io/profile/index.ts';
import { loadTokenizer, tokenizerFolder } from '../../io/tokenizers/index.ts';
import type { EngineServerOptions, SamplingDefaults } from './options.ts';
import { type TierFlags, tierOptions } from './tiers/tier-options.ts';

/** Sizes have the names and meaning of `EngineSpec`. */
export interface EngineSettings
  extends Omit<EngineSpec, 'model' | 'gpu' | 'scheduler' | 'stepCost' | 'host'> {
  /** A catalogue name, a Hugging Face id, or a folder with config.json. */
  readonly model: string;
  /** A GPU of the catalogue. @default 'H100-80GB' */
  readonly gpu?: string;
  /** Folder or file with measured step times, instead of the roofline. */
  readonly profile?: string;
  /** Folder or npm package. @default the tokenizer in the model's folder, else Qwen3's */
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
  | 'tier'
  | 'givenCacheSettings'
>;

/**
 * Reads the files that the settings name and derives the rest.
 *
 * @returns Options, and in `notes` one sentence for each difference from a vLLM server.
 * @throws {InputError} If a name is unknown, a file is unusable, or the model does not fit.
 * @example
 * const server = await createEngineServer({ ...(await resolveEngine({ model: 'Qwen/Qwen3-8B' })), port: 0 });
 */
export async function resolveEngine(
  settings: EngineSettings,
): Promise<Resolved & { readonly notes: readonly string[] }> {
  const tokenizerName = settings.tokenizer ?? ownTokenizer(settings.model);
  const [given, tokenizer] = await Promise.all([
    readModelSpec(settings.model),
    loadTokenizer(tokenizerName),
  ]);
  const samplingDefaults = await readSamplingDefaults(settings.model, tokenizer.eosTokenId);
  const { profile, tier, config: scheduler, tokenizer: _, ...sizes } = settings;
  const gpu = await readGpuSpec(settings.gpu ?? 'H100-80GB');
  const spec = { ...sizes, scheduler, model: given, gpu };
  const { stepCost } = await readStepCostSource(profile, spec);
  const engine = sizeEngine({ ...spec, stepCost });
  const { model, config, cost } = engine;
  return {
    ...{ model: settings.model, config, cost },
    notes: engine.notes,
    tokenizer,
    tokenizerFolder: tokenizerFolder(tokenizerName),
    vocabularySize: model.vocabSize,
    stepEstimate: stepEstimate(model, engine.tensorParallelSize),
    samplingDefaults,
    ...(settings.tensorParallelSize && { tensorParallelSize: settings.tensorParallelSize }),
    tier: tier && tierOptions(tier, { ...engine, modelName: settings.model }, config.blockSize),
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

const samplingDefaultNames = [
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'repetition_penalty',
] as const;

/** vLLM reads them from the model's folder unless `--generation-config vllm` is set. */
async function readSamplingDefaults(
  model: string,
  endToken: number | undefined,
): Promise<SamplingDefaults> {
  const path = join(model, 'generation_config.json');
  if (!existsSync(path)) return {};
  try {
    const given = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
    const numbers = samplingDefaultNames.filter((name) => typeof given[name] === 'number');
    const ends = [given['eos_token_id']].flat().filter((id) => typeof id === 'number');
    return {
      ...Object.fromEntries(numbers.map((name) => [name, given[name] as number])),
      endTokens: ends.filter((id) => id !== endToken),
    };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`${path}: ${reason}`, { cause });
  }
}

function ownTokenizer(model: string): string | undefined {
  return existsSync(join(model, 'tokenizer.json')) ? model : undefined;
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
