// From an input to a decision: what is open is assumed or measured, sizes are found, the rules decide.
import { InputError } from '../../core/base/index.ts';
import {
  decide,
  type OffloadKind,
  overriddenThresholds,
  type PlanFacts,
  type PlanInput,
} from '../../core/plan/index.ts';
import type { DocumentOverride } from '../../core/values/index.ts';
import { PrometheusClient } from '../../io/prometheus/index.ts';
import { loadTrace } from '../../io/traces/index.ts';
import { type Assumption, Assumptions } from './assumptions.ts';
import { type EngineLayout, gpuNamed, layoutOf, layoutsOnAnyGpu } from './layout.ts';
import {
  disaggregation,
  offloadSize,
  requestsFor,
  requestsMin,
  routing,
  seqsFor,
} from './layout-settings.ts';
import { loadModel } from './load-model.ts';
import { measureFleet } from './measure-fleet.ts';
import { measureTrace } from './measure-trace.ts';
import { noModelError } from './model-errors.ts';
import type { Plan } from './plan.ts';
import {
  heldTokens,
  requestsAtRate,
  secondsPerOutputToken,
  workingSetTokens,
} from './plan-traffic.ts';
import { playLayout } from './play.ts';
import { readPlanInput } from './read-input.ts';
import { type PlanWorkload, resolveOperations, resolveWorkload } from './resolve-input.ts';
import { sizeFleet } from './sizing.ts';

export interface PlanRequest {
  readonly file: string | undefined;
  readonly overrides: readonly DocumentOverride[];
  readonly trace: string | undefined;
  readonly prometheus:
    | { readonly url: string; readonly selector: string; readonly windowSeconds: number }
    | undefined;
  readonly seed: number;
}

const defaultModel = 'Qwen/Qwen3-8B';
const defaultGpu = 'H100-80GB';
/** Context lengths are given out in such steps, tokens. */
const contextStep = 1024;
/** All of a plan but what simulating its layouts says. */
export interface DecidedPlan
  extends Omit<Plan, 'impact' | 'rejectedOptions' | 'warnings' | 'assumptions'> {
  /** Of the layouts that offload, whichever is decided. GiB per engine. */
  readonly offloadGiBWhereUsed: number;
  /** KV of the working set over the KV that fits HBM. */
  readonly workingSet: number;
  /** What runs today, where the input says it. */
  readonly today:
    | { readonly engines: number; readonly kvOffload: OffloadKind; readonly policy: string }
    | undefined;
  /** Requests of one simulated fleet. */
  readonly requests: number;
  /** Why the goals are not met, or not within the budget. */
  readonly shortfall: string | undefined;
  readonly assumptions: readonly Assumption[];
}

/**
 * Decides without simulating what the decision brings. Sizes that the input leaves open are simulated.
 *
 * @throws {InputError} If the input is bad, a name unknown, or the model fits on no GPU.
 */
export async function decidePlan(request: PlanRequest): Promise<DecidedPlan> {
  const assumptions = new Assumptions();
  const given = await readPlanInput(request.file, request.overrides);
  const input = await withMeasuredFleet(given, request, assumptions);
  const { thresholds } = input;
  for (const text of overriddenThresholds(thresholds)) {
    assumptions.note('thresholds', text, 'overridden by the input');
  }
  const workload = resolveWorkload(input, await measuredTrace(input, request), assumptions);
  const operations = resolveOperations(input, assumptions);
  const { layouts, modelPath, wantedEngines } = await candidates(input, workload, assumptions);
  const sized = sizeFleet({
    ...{ layouts, workload, slo: input.slo, seed: request.seed },
    budgetPerHour: operations.budgetPerHour,
    hbmUtilization: thresholds.hbmUtilization,
    engines: operations.kubernetes || wantedEngines !== undefined ? wantedEngines : 1,
  });
  const { layout } = sized;
  const concurrency =
    workload.concurrency ?? concurrencyAt(layout, sized.engines, workload, request.seed);
  const facts = factsOf({
    input,
    workload,
    operations,
    layout,
    engines: sized.engines,
    concurrency,
  });
  const decision = decide(facts, thresholds);
  const engines = decision.stack === 'single-engine' ? 1 : sized.engines;
  const maxNumSeqs = seqsFor(layout, concurrency / engines);
  const { policy, because: policyBecause } = routing(decision, engines, workload);
  const setTokens = workingSetTokens(workload, concurrency);
  const workingSet = setTokens / (layout.kvTokens * engines);
  const offloadGiB = offloadSize(layout, setTokens, operations.hostDramGiB);
  const today = input.current && {
    engines: input.current.engines ?? engines,
    kvOffload: input.current.kvOffload ?? ('none' as const),
    policy: input.current.policy ?? 'roundrobin',
  };
  return {
    ...{ input, thresholds, facts, workload, operations, layout, decision, engines, maxNumSeqs },
    ...{ policy, policyBecause, modelPath, workingSet, today },
    kvDtype: 'the model’s own type (--kv-cache-dtype auto)',
    disaggregation: disaggregation(workload, engines, layout),
    autoscaling: {
      signal: 'vllm:num_requests_waiting, summed over the engines (KEDA, Prometheus trigger)',
      threshold: 'more than 5 waiting per engine for 15 s adds one; 360 s of calm take one away',
      enginesMax: Math.max(engines + 1, Math.ceil(engines * 1.5)),
    },
    offloadGiB: decision.kvOffload === 'none' ? 0 : offloadGiB,
    offloadGiBWhereUsed: offloadGiB,
    requests: requestsFor(workload, concurrency),
    shortfall: sized.shortfall,
    assumptions: assumptions.list,
  };
}

async function measuredTrace({ workload }: PlanInput, { trace }: PlanRequest) {
  const prompt = workload.promptTokens;
  const named = typeof prompt === 'object' && 'trace' in prompt ? prompt.trace : undefined;
  const file = trace ?? named;
  return file === undefined ? undefined : measureTrace(await loadTrace(file, {}));
}

/** What Prometheus has measured fills what the file does not say. */
async function withMeasuredFleet(
  input: PlanInput,
  { prometheus }: PlanRequest,
  assumptions: Assumptions,
): Promise<PlanInput> {
  if (prometheus === undefined) return input;
  const { url, selector, windowSeconds } = prometheus;
  const measured = await measureFleet(new PrometheusClient({ url }), { selector, windowSeconds });
  const fill = <T extends object>(section: string, given: T, found: Partial<T>): T => {
    const filled = { ...given } as Record<string, unknown>;
    for (const [key, value] of Object.entries(found)) {
      if (value === undefined || filled[key] !== undefined) continue;
      filled[key] = value;
      const text = typeof value === 'number' ? String(Number(value.toFixed(3))) : String(value);
      assumptions.note(`${section}.${key}`, text, `measured over ${windowSeconds / 3600} h`);
    }
    return filled as unknown as T;
  };
  return {
    ...input,
    workload: fill('workload', input.workload, measured.workload),
    fleet: fill('fleet', input.fleet, measured.fleet),
  };
}

/** The layouts that the input leaves open, of which sizing takes one. */
async function candidates(input: PlanInput, workload: PlanWorkload, assumptions: Assumptions) {
  const { fleet, operations } = input;
  const name = assumptions.fill(
    'fleet.model',
    fleet.model,
    defaultModel,
    'a model that one GPU holds',
  );
  const gpu = assumptions.fill('fleet.gpu', fleet.gpu, defaultGpu, 'the most common for serving');
  const { model, path } = await loadModel(name);
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
    ...{ model, maxModelLen, gpusPerEngine: fleet.gpusPerEngine },
    gpuPricePerHour: operations.gpuPricePerHour,
    gpuMemoryUtilization: fleet.gpuMemoryUtilization,
  };
  const layouts =
    gpu === 'choose' ? layoutsOnAnyGpu(wish) : [layoutOf({ ...wish, gpu: gpuNamed(gpu) })];
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
      'the fewest that leave KV cache room beside the weights',
    );
  }
  if (
    operations.gpuPricePerHour === undefined &&
    first.pricePerHour !== undefined &&
    gpu !== 'choose'
  ) {
    assumptions.note(
      'operations.gpuPricePerHour',
      (first.pricePerHour / first.gpusPerEngine).toFixed(2),
      'rough, from memory of cloud prices of 2025; give your own',
    );
  }
  const engines = fleet.engines ?? 'choose';
  if (fleet.engines === undefined) assumptions.note('fleet.engines', 'choose', 'not given');
  return { layouts, modelPath: path, wantedEngines: engines === 'choose' ? undefined : engines };
}

/** By Little's law: what is in flight at the rate, as simulated. */
function concurrencyAt(
  layout: EngineLayout,
  engines: number,
  workload: PlanWorkload,
  seed: number,
): number {
  const { concurrency } = playLayout({
    ...{ layout, engines, workload, clients: undefined, slo: {}, seed },
    ...{ kvOffload: 'none', offloadGiB: 0, policy: engines > 1 ? 'predictive' : 'roundrobin' },
    maxNumSeqs: layout.config.maxNumSeqs,
    requests: Math.max(requestsMin, requestsAtRate(workload)),
    e2eSeconds: workload.outputTokens.mean * secondsPerOutputToken,
    error: noModelError,
  });
  return Math.max(1, Math.round(concurrency));
}

function factsOf({
  input,
  workload,
  operations,
  layout,
  engines,
  concurrency,
}: {
  readonly input: PlanInput;
  readonly workload: PlanWorkload;
  readonly operations: ReturnType<typeof resolveOperations>;
  readonly layout: EngineLayout;
  readonly engines: number;
  readonly concurrency: number;
}): PlanFacts {
  const { kubernetes, handRolled, hbmMonitoring, multiTenant } = operations;
  return {
    promptTokens: workload.promptTokens.mean,
    concurrency,
    prefixReuse: workload.prefixReuse,
    sharedPrefixTokens: workload.sharedPrefixTokens,
    preemptionsPerMinute: workload.preemptionsPerMinute,
    kvDemand: heldTokens(workload, concurrency) / (layout.kvTokens * engines),
    engines,
    loraAdapters: input.fleet.loraAdapters ?? 0,
    ...{ multiTenant, kubernetes, handRolled, hbmMonitoring },
    wants: input.wants,
  };
}
