// The engines that a values file asks for, as engine models: what `spillway up` or Helm would start.
import { InputError } from '../../core/base/index.ts';
import {
  bytesPerWeightOf,
  type EngineConfig,
  engineConfigFor,
  type GpuSpec,
  hostConstants,
  kvBytesPerTokenPerGpu,
  type LayoutOptions,
  type ModelSpec,
  pipelinedConfig,
  pipelinedCost,
  rooflineCost,
  type StepCostModel,
} from '../../core/engine/index.ts';
import { checkEngineCount, type SimulatedEngine } from '../../core/simulation/index.ts';
import {
  engineCount,
  engineKind,
  gpuText,
  type ModelSpec as ModelEntry,
  type Values,
} from '../../core/values/index.ts';
import { readGpuSpec, readModelSpec } from '../../io/models/index.ts';
import { readStepCost } from '../../io/profile/index.ts';
import { argumentsOf, type ExtraArguments } from './extra-arguments.ts';
import { type Outage, SharedStores } from './shared-stores.ts';
import { isDisaggregated, type PooledEngine, poolsOf, type StackPools } from './stack-pools.ts';
import { type OffloadChoice, tiersOf } from './stack-tiers.ts';

/** One engine, with what the report says of it. */
export interface StackEngine extends SimulatedEngine {
  readonly name: string;
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  readonly tensorParallelSize: number;
  readonly pipelineParallelSize: number;
  /** Of KV cache in HBM. */
  readonly kvTokens: number;
  readonly kvBytesPerToken: number;
  /** What lies below, in words; undefined for nothing. */
  readonly offload: string | undefined;
}

export interface Stack {
  readonly engines: readonly StackEngine[];
  /** Undefined where the same engines prefill and decode. */
  readonly pools: StackPools | undefined;
  /** What the simulation leaves out of these values, one sentence each. */
  readonly notes: readonly string[];
}

const defaultGpu = 'H100-80GB';

/**
 * @param options.model Which model's engines, where the values have several: its name or URL.
 * @throws {InputError} If there is none, or one cannot be known from the values.
 */
export async function stackOf(
  values: Values,
  options: {
    readonly model?: string | undefined;
    /** Step times of all engines, in place of what the values say. */
    readonly profile?: string | undefined;
    /** Of the store that engines share. */
    readonly outage?: Outage | undefined;
    /** In place of what the values say. */
    readonly offload?: OffloadChoice | undefined;
    /** Between engines that prefill and engines that decode, in place of what the values say. */
    readonly link?: string | number | undefined;
  } = {},
): Promise<Stack> {
  const notes: string[] = [];
  const entries = chosen(values, options.model);
  const pooled: PooledEngine[] = [];
  // All engines of a stack have one model, so what they share serves them all.
  const stores = new SharedStores(values, options.outage);
  for (const entry of entries) {
    const { layout, config, cost, extra } = await engineOf(entry, options.profile, notes);
    const choice = options.offload;
    const tiers = tiersOf(entry, { layout, config, cost }, { extra, stores, choice });
    const made = { ...describe(layout, config), ...tiers, config, cost };
    const cores = extra.dataParallelSize ?? 1;
    if (cores > 1) {
      notes.push(
        `The ${cores} data-parallel cores of ${entry.name} count as engines of their own, among which the router picks.`,
      );
    }
    const count = engineCount(entry) * cores;
    checkEngineCount(pooled.length + count);
    for (let i = 0; i < count; i++) {
      const name = count === 1 ? entry.name : `${entry.name}-${i + 1}`;
      pooled.push({ engine: { ...made, name }, entry, transfer: extra.transfer });
    }
  }
  if (pooled.length === 0)
    throw new InputError('replicaCount is 0: there is no engine to simulate.');
  if (options.outage && !stores.hasServer) {
    notes.push(
      'No store is lost: these engines have none that they share (LMCache with cacheserverSpec.enabled).',
    );
  }
  const pools = isDisaggregated(values) ? poolsOf(values, pooled, options.link) : undefined;
  return { engines: pooled.map(({ engine }) => engine), pools, notes };
}

function chosen(values: Values, model: string | undefined): readonly ModelEntry[] {
  const { enableEngine, modelSpec } = values.servingEngineSpec;
  const enabled = enableEngine ? modelSpec.filter((entry) => entry.enabled) : [];
  const urls = enabled.find((entry) => engineKind(entry) === 'url');
  if (urls) {
    throw new InputError(
      `servingEngineSpec.modelSpec "${urls.name}" is an engine at a URL, of which nothing is known: give its modelURL, gpu and vllmConfig in place of urls.`,
    );
  }
  const named = model === undefined ? enabled : enabled.filter((e) => namesOf(e).includes(model));
  const models = [...new Set(enabled.map((entry) => entry.modelURL ?? entry.name))];
  if (named.length === 0) {
    throw new InputError(
      model === undefined
        ? 'there is no engine to simulate: give servingEngineSpec.modelSpec an enabled entry.'
        : `No engine of these values serves ${model}; they serve ${models.join(', ')}.`,
    );
  }
  if (new Set(named.map((entry) => entry.modelURL ?? entry.name)).size > 1) {
    throw new InputError(
      `These values serve ${models.join(' and ')}; say with --model which of them the requests are for.`,
    );
  }
  return named;
}

function namesOf({ name, modelURL }: ModelEntry): readonly (string | undefined)[] {
  return [name, modelURL];
}

async function engineOf(entry: ModelEntry, profile: string | undefined, notes: string[]) {
  const given = entry.vllmConfig ?? {};
  const extra = argumentsOf(given.extraArgs ?? [], entry.name);
  notes.push(...extra.notes);
  const spec = readModelSpec(entry.modelURL ?? 'Qwen/Qwen3-8B');
  const model = extra.kvBytesPerValue ? { ...spec, kvBytesPerValue: extra.kvBytesPerValue } : spec;
  if (entry.gpu === undefined) {
    notes.push(`${entry.name} does not say its gpu; ${defaultGpu} is taken.`);
  }
  const gpu = await readGpuSpec(gpuText(entry) ?? defaultGpu);
  // Of a flag that comes twice vLLM takes the last, and extraArgs stand behind the keys.
  const tensorParallelSize = extra.tensorParallelSize ?? given.tensorParallelSize ?? 1;
  const numGpuBlocks = extra.numGpuBlocks ?? given.numGpuBlocksOverride;
  const gpuMemoryUtilization = extra.gpuMemoryUtilization ?? given.gpuMemoryUtilization;
  const weightBytesPerValue = bytesPerWeightOf(model, extra.quantization);
  const pipelineParallelSize = given.pipelineParallelSize ?? extra.pipelineParallelSize ?? 1;
  const layout: LayoutOptions = {
    ...{ model, gpu, tensorParallelSize, weightBytesPerValue, pipelineParallelSize },
    ...(gpuMemoryUtilization !== undefined && {
      gpuMemoryUtilization: Number(gpuMemoryUtilization),
    }),
    ...(numGpuBlocks !== undefined && { numGpuBlocks }),
    ...(extra.kvCacheMemoryBytes !== undefined && { kvCacheMemoryBytes: extra.kvCacheMemoryBytes }),
  };
  const config = pipelinedConfig(
    engineConfigFor(layout, settingsOf(entry, extra)),
    pipelineParallelSize,
  );
  const cost = pipelinedCost(await costOf(profile ?? entry.profile, layout, notes), {
    ...{ stages: pipelineParallelSize, model },
    linkBytesPerSecond: gpu.link.bytesPerSecond,
  });
  return { layout, config, cost, extra };
}

function describe(layout: LayoutOptions, config: EngineConfig) {
  const { model, gpu, tensorParallelSize = 1, pipelineParallelSize = 1 } = layout;
  return {
    ...{ model, gpu, tensorParallelSize, pipelineParallelSize },
    kvTokens: (config.numGpuBlocks - 1) * config.blockSize,
    kvBytesPerToken: kvBytesPerTokenPerGpu(model, tensorParallelSize) * tensorParallelSize,
  };
}

function settingsOf(entry: ModelEntry, extra: ExtraArguments): Partial<EngineConfig> {
  const given = entry.vllmConfig;
  // The chart passes --no-enable-prefix-caching unless the key is true.
  const enablePrefixCaching = given === undefined ? true : (given.enablePrefixCaching ?? false);
  const settings = {
    blockSize: given?.blockSize,
    maxModelLen: given?.maxModelLen,
    maxNumSeqs: given?.maxNumSeqs,
    maxNumBatchedTokens: given?.maxNumBatchedTokens,
    enableChunkedPrefill: given?.enableChunkedPrefill,
    schedulingPolicy: given?.schedulingPolicy,
    ...extra.settings,
    enablePrefixCaching: extra.settings.enablePrefixCaching ?? enablePrefixCaching,
  };
  const said = Object.entries(settings).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said) as Partial<EngineConfig>;
}

async function costOf(
  profile: string | undefined,
  layout: LayoutOptions,
  notes: string[],
): Promise<StepCostModel> {
  const { model, gpu, tensorParallelSize = 1 } = layout;
  const weightBytesPerValue = layout.weightBytesPerValue ?? bytesPerWeightOf(model);
  const shape = { model, gpu, tensorParallelSize, weightBytesPerValue };
  if (profile === undefined) return rooflineCost(shape);
  const read = await readStepCost(profile, shape, hostConstants(gpu, tensorParallelSize));
  notes.push(...read.notes);
  return read.cost;
}
