// The engines of a values file, which `spillway up` or Helm would start, as engine models.
import { InputError } from '../../core/base/index.ts';
import {
  allowsLongContext,
  effectNotes,
  type ReadSettings,
  readEntry,
  sizingSettings,
  vainEntryKeys,
  vainSettings,
} from '../../core/layout/index.ts';
import { checkEngineCount } from '../../core/simulation/index.ts';
import { type SizedEngine, type StepCostSource, sizeEngine } from '../../core/sizing/index.ts';
import {
  engineCount,
  engineKind,
  gpuText,
  type ModelEntry,
  type Values,
} from '../../core/values/index.ts';
import { readEngineModel, readGpuSpec } from '../../io/models/index.ts';
import { readStepCostSource } from '../../io/profile/index.ts';
import { type OffloadSettings, offloadSettings } from './offload-settings.ts';
import { type Outage, SharedStores } from './shared-stores.ts';
import type { StackEngine } from './stack-engine.ts';
import { isDisaggregated, type PooledEngine, poolsOf, type StackPools } from './stack-pools.ts';
import { type OffloadChoice, tiersOf } from './stack-tiers.ts';

export interface SimulatedStack {
  readonly engines: readonly StackEngine[];
  /** Undefined unless prefill is disaggregated. */
  readonly pools: StackPools | undefined;
  /** One sentence for each part of the values that the simulation ignores. */
  readonly notes: readonly string[];
}

const defaultModel = 'Qwen/Qwen3-8B';
const defaultGpu = 'H100-80GB';

/**
 * @param options.model Name or URL of the model whose engines are simulated, where the values have several.
 * @throws {InputError} If there is no engine, or the values do not determine one.
 */
export async function stackOf(
  values: Values,
  options: {
    readonly model?: string | undefined;
    /** Overrides the step times of all engines. */
    readonly profile?: string | undefined;
    /** Without a profile. @default 'calibrated' */
    readonly stepCost?: StepCostSource | undefined;
    /** Outage of the store that engines share. */
    readonly outage?: Outage | undefined;
    /** Overrides the values. */
    readonly offload?: OffloadChoice | undefined;
    /** Overrides the link between engines that prefill and engines that decode. */
    readonly link?: string | number | undefined;
  } = {},
): Promise<SimulatedStack> {
  const notes: string[] = [];
  const entries = chosen(values, options.model);
  const pooled: PooledEngine[] = [];
  // All engines of a stack serve one model, so they can share stores.
  const stores = new SharedStores(values, options.outage);
  for (const entry of entries) {
    const { sized, offload, cores } = await engineOf(entry, values, { ...options, notes });
    const tiers = tiersOf(entry, sized, { settings: offload, stores, choice: options.offload });
    const made = { ...sized, ...tiers, countsEvicted: true };
    if (cores > 1) {
      notes.push(
        `The ${cores} data-parallel cores of ${entry.name} count as separate engines, among which the router picks.`,
      );
    }
    const count = engineCount(entry) * cores;
    checkEngineCount(pooled.length + count);
    for (let i = 0; i < count; i++) {
      const name = count === 1 ? entry.name : `${entry.name}-${i + 1}`;
      pooled.push({ engine: { ...made, name }, entry, transfer: offload.transfer });
    }
  }
  if (pooled.length === 0)
    throw new InputError('replicaCount is 0: there is no engine to simulate.');
  if (options.outage && !stores.hasServer) {
    notes.push(
      '--lose-store has no effect: these engines share no store (LMCache with cacheserverSpec.enabled).',
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
      `servingEngineSpec.modelSpec "${urls.name}" is an engine at a URL with unknown settings: give its modelURL, gpu and vllmConfig instead of urls.`,
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
      `These values serve ${models.join(' and ')}; select the model of the requests with --model.`,
    );
  }
  return named;
}

function namesOf({ name, modelURL }: ModelEntry): readonly (string | undefined)[] {
  return [name, modelURL];
}

async function engineOf(
  entry: ModelEntry,
  values: Values,
  options: {
    readonly profile?: string | undefined;
    readonly stepCost?: StepCostSource | undefined;
    readonly notes: string[];
  },
): Promise<{
  readonly sized: SizedEngine;
  readonly offload: OffloadSettings;
  /** Number of engine cores that share the requests. */
  readonly cores: number;
}> {
  const { notes } = options;
  const read = readEntry(entry);
  notes.push(...notesOn(entry, read));
  if (entry.gpu === undefined) {
    notes.push(`${entry.name} has no gpu; ${defaultGpu} is assumed.`);
  }
  const spec = {
    ...sizingSettings(read.settings),
    model: readEngineModel(entry.modelURL ?? defaultModel, `with standIn at ${entry.name}`, {
      always: read.settings.standIn,
      unknown: values.spillway.standIn,
    }),
    gpu: await readGpuSpec(gpuText(entry) ?? defaultGpu),
    allowsLongContext: allowsLongContext(entry, values),
    gpusPerNode: gpusPerRayNode(entry),
    stepCost: options.stepCost,
  };
  const profile = await readStepCostSource(options.profile ?? entry.profile, spec);
  const sized = sizeEngine({ ...spec, stepCost: profile.stepCost });
  notes.push(...profile.notes, ...sized.notes.map((note) => `${entry.name}: ${note}`));
  return {
    sized,
    offload: offloadSettings(read.settings, entry.name),
    cores: spec.dataParallelSize ?? 1,
  };
}

/** With Ray each pod of an engine is on a node of its own; undefined: all GPUs of an engine are on one node. */
function gpusPerRayNode({ raySpec, requestGPU }: ModelEntry): number | undefined {
  const gpus = Number(requestGPU);
  return raySpec?.enabled && gpus >= 1 ? gpus : undefined;
}

/** Returns notes on arguments without effect, and on keys whose effect in a real vLLM is not simulated. */
function notesOn(entry: ModelEntry, read: ReadSettings): readonly string[] {
  const vain = vainSettings(read, 'simulate').filter(
    ({ source, kind }) => source.startsWith('-') || kind === 'missing',
  );
  const keys = vainEntryKeys(entry, 'simulate').filter(({ kind }) => kind === 'missing');
  return [
    ...effectNotes([...vain, ...keys], `${entry.name}: `),
    ...read.unknown.map((flag) => `${entry.name}: ${flag} is not a known flag of vLLM 0.32.`),
  ];
}
