// Candidate engines of a plan: for the given model and GPU, or for every GPU that holds the model.
import { InputError } from '../../core/base/index.ts';
import { readGpuSpec, readModelSpec } from '../../io/models/index.ts';
import { type MeasuredEngine, readMeasuredEngine } from '../../io/profile/index.ts';
import type { Assumptions } from './assumptions.ts';
import { type EngineLayout, layoutOf, layoutsOnAnyGpu } from './layout.ts';
import type { ReadInput } from './read-input.ts';
import type { PlanWorkload } from './resolve-input.ts';

export interface CandidateLayouts {
  /** At least one. */
  readonly layouts: readonly EngineLayout[];
  /** Undefined if the plan chooses. */
  readonly wantedEngines: number | undefined;
}

const defaultModel = 'Qwen/Qwen3-8B';
const defaultGpu = 'H100-80GB';
/** Context lengths are multiples of this number of tokens. */
const contextStep = 1024;

/** Maximum number of adapters in a batch: each costs memory, and a batch rarely needs more. */
const lorasMax = 8;

/** Returns the layouts that the input allows; sizing picks one of them. */
export async function candidateLayouts(
  {
    input,
    at,
    file,
    profile,
  }: ReadInput & { readonly file: string | undefined; readonly profile?: string | undefined },
  workload: PlanWorkload,
  assumptions: Assumptions,
): Promise<CandidateLayouts> {
  const { fleet, operations } = input;
  const name = assumptions.fill(
    'fleet.model',
    fleet.model,
    defaultModel,
    'a model that fits on one GPU',
  );
  const gpu = assumptions.fill(
    'fleet.gpu',
    fleet.gpu,
    defaultGpu,
    'the most common GPU for serving',
  );
  const model = await at('fleet.model', () => readModelSpec(name, file));
  const longest = workload.promptTokens.max + workload.outputTokens.max;
  const maxModelLen = Math.min(
    model.contextTokensMax,
    Math.ceil(longest / contextStep) * contextStep,
  );
  if (workload.promptTokens.mean + 1 > model.contextTokensMax) {
    throw new InputError(
      `Prompts of ${Math.round(workload.promptTokens.mean)} tokens do not fit the ${model.contextTokensMax} ` +
        `tokens of context of ${model.name}; choose another model, or shorten them`,
    );
  }
  const wish = {
    ...{ model, maxModelLen, gpusPerEngine: fleet.gpusPerEngine, gpusPerNode: fleet.gpusPerNode },
    maxLoras: fleet.loraAdapters ? Math.min(fleet.loraAdapters, lorasMax) : undefined,
    gpuPricePerHour: operations.gpuPricePerHour,
    gpuMemoryUtilization: fleet.gpuMemoryUtilization,
    maxNumSeqs: fleet.maxNumSeqs,
    measured: profile === undefined ? undefined : await measuredEngine(profile, assumptions),
  };
  const layouts =
    gpu === 'choose'
      ? layoutsOnAnyGpu(wish)
      : [
          await at('fleet.gpu', async () =>
            layoutOf({ ...wish, gpu: await readGpuSpec(gpu, file) }),
          ),
        ];
  const [first] = layouts;
  if (first === undefined) {
    throw new InputError(
      `${model.name} fits on no GPU of the catalogue with ${maxModelLen} tokens of context; give fleet.gpusPerEngine, or shorter prompts`,
    );
  }
  if (fleet.gpusPerEngine === undefined && first.gpusPerEngine > 1) {
    assumptions.note(
      'fleet.gpusPerEngine',
      String(first.gpusPerEngine),
      'the smallest number that leaves space for KV cache after the weights',
    );
  }
  if (fleet.gpuMemoryUtilization === undefined && first.memory !== undefined) {
    assumptions.note(
      'fleet.gpuMemoryUtilization',
      String(first.gpuMemoryUtilization),
      'the rest is headroom; a lower share means less KV cache and more benefit from offload',
    );
  }
  const engines = fleet.engines ?? 'choose';
  if (fleet.engines === undefined) assumptions.note('fleet.engines', 'choose', 'not given');
  return { layouts, wantedEngines: engines === 'choose' ? undefined : engines };
}

async function measuredEngine(profile: string, assumptions: Assumptions): Promise<MeasuredEngine> {
  if (!profile.endsWith('.json')) {
    throw new InputError(
      `--profile ${profile}: plan accepts a .json file from spillway calibrate; a folder of step tables is valid for its own engine only (spillway calibrate --tables converts it).`,
    );
  }
  const engine = await readMeasuredEngine(profile);
  const { model, gpu, tensorParallelSize } = engine;
  assumptions.note(
    '--profile',
    profile,
    `step times as measured with ${model} on ${tensorParallelSize} × ${gpu}`,
  );
  return engine;
}
