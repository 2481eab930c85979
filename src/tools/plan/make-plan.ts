// From an input to a plan: what is open is assumed, the rules decide, simulation says what it brings.
import { InputError } from '../../core/base/index.ts';
import { kvBytesPerToken } from '../../core/engine/index.ts';
import {
  type Decision,
  decide,
  overriddenThresholds,
  type PlanFacts,
  type PlanInput,
} from '../../core/plan/index.ts';
import type { DocumentOverride } from '../../core/values/index.ts';
import { PrometheusClient } from '../../io/prometheus/index.ts';
import { loadTrace } from '../../io/traces/index.ts';
import { Assumptions } from './assumptions.ts';
import { expectedImpact } from './impact.ts';
import { type EngineLayout, gpuNamed, layoutOf, layoutsOnAnyGpu } from './layout.ts';
import { loadModel } from './load-model.ts';
import { measureFleet } from './measure-fleet.ts';
import { measureTrace } from './measure-trace.ts';
import type { Plan } from './plan.ts';
import { heldTokens, workingSetTokens } from './plan-traffic.ts';
import { playLayout } from './play.ts';
import { readPlanInput } from './read-input.ts';
import { rejectedOptions } from './rejected-options.ts';
import { type PlanWorkload, resolveOperations, resolveWorkload } from './resolve-input.ts';
import { sizeFleet } from './sizing.ts';
import { planWarnings } from './warnings.ts';

export interface PlanRequest {
  readonly file: string | undefined;
  readonly overrides: readonly DocumentOverride[];
  readonly trace: string | undefined;
  readonly prometheus:
    | { readonly url: string; readonly selector: string; readonly windowSeconds: number }
    | undefined;
  readonly seed: number;
  readonly onProgress?: ((share: number) => void) | undefined;
}

const defaultModel = 'Qwen/Qwen3-8B';
const defaultGpu = 'H100-80GB';
/** Context lengths are given out in such steps, tokens. */
const contextStep = 1024;
/** Share of a host's spare memory that a plan gives to KV; the rest is page cache and staging. */
const hostShare = 0.8;
/**
 * Of the fleet's whole working set and of HBM's cache, so much should fit beside each engine: routing
 * spreads a prefix over more engines than one, and a mirror no larger than HBM gains nothing.
 */
const offloadSpare = 1.2;
/** Requests of one simulated fleet: in so many rounds of the clients, and between these numbers. */
const rounds = 4;
const requestsMin = 200;
const requestsMax = 1200;
/** Tokens that one simulated fleet computes at most, about: keeps the plan within its time. */
const simulatedTokensMax = 14e6;

/** @throws {InputError} If the input is bad, a name unknown, or the model fits on no GPU. */
export async function makePlan(request: PlanRequest): Promise<Plan> {
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
  const impact = expectedImpact({
    base: {
      ...{ layout, engines, policy, maxNumSeqs, workload, slo: input.slo },
      clients: workload.concurrency,
      requests: requestsFor(workload, concurrency),
      e2eSeconds: workload.outputTokens.mean * 0.03,
    },
    ...{ decision, offloadGiB, today, workingSet, seed: request.seed },
    onProgress: request.onProgress,
  });
  const draft = {
    ...{ input, thresholds, facts, workload, operations, layout, decision, engines, maxNumSeqs },
    ...{ policy, policyBecause, impact, modelPath },
    kvDtype: 'the model’s own type (--kv-cache-dtype auto)',
    disaggregation: disaggregation(workload, engines, layout),
    autoscaling: {
      signal: 'vllm:num_requests_waiting, summed over the engines (KEDA, Prometheus trigger)',
      threshold: 'more than 5 waiting per engine for 15 s adds one; 360 s of calm take one away',
      enginesMax: Math.max(engines + 1, Math.ceil(engines * 1.5)),
    },
    offloadGiB: decision.kvOffload === 'none' ? 0 : offloadGiB,
  };
  return {
    ...draft,
    rejectedOptions: rejectedOptions(draft, offloadGiB),
    warnings: [
      ...(sized.shortfall === undefined ? [] : [`${sized.shortfall}.`]),
      ...planWarnings(draft),
    ],
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
      'cloud list price of 2025, rounded',
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
    requests: requestsMin,
    e2eSeconds: 0,
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

function routing(
  { stack }: Decision,
  engines: number,
  { prefixReuse }: PlanWorkload,
): { readonly policy: string; readonly because: string } {
  if (stack === 'single-engine' || engines === 1) {
    return { policy: 'roundrobin', because: 'one engine leaves nothing to choose' };
  }
  if (prefixReuse === 'none') {
    return {
      policy: 'predictive',
      because: 'nothing is shared, so the shortest predicted wait decides',
    };
  }
  return {
    policy: 'kvaware',
    because:
      'prompts share prefixes, and the engines’ KV events say exactly who holds which blocks',
  };
}

/** Twice what is in flight per engine, as a power of two: a burst queues in the engine, not the router. */
function seqsFor({ config, gpu }: EngineLayout, perEngine: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(8, 2 * perEngine)));
  const least = gpu.memoryBytes === undefined ? 8 : 64;
  return Math.min(config.maxNumSeqs, Math.max(least, wanted));
}

function offloadSize(
  { model, kvTokens }: EngineLayout,
  setTokens: number,
  hostDramGiB: number,
): number {
  const gib = (tokens: number) => (tokens * kvBytesPerToken(model)) / 2 ** 30;
  const wanted = gib(Math.max(setTokens, kvTokens) * offloadSpare);
  return Math.max(1, Math.floor(Math.min(hostDramGiB * hostShare, wanted)));
}

function requestsFor(workload: PlanWorkload, concurrency: number): number {
  const { promptTokens, outputTokens, prefixReuse, prefixGroups } = workload;
  const affordable = simulatedTokensMax / (promptTokens.mean + outputTokens.mean * 10);
  const wanted = Math.min(requestsMax, Math.max(requestsMin, rounds * concurrency));
  // Conversations under way all begin at once: their second turns are what counts.
  const isConversation = prefixReuse === 'multi-turn' || prefixReuse === 'agents';
  const underWay = isConversation ? Math.max(concurrency, prefixGroups) : concurrency;
  return Math.round(
    Math.max(Math.min(wanted, affordable), underWay * (isConversation ? 4 : 2), 60),
  );
}

/** Thresholds of the lesson on disaggregated serving (phase 17, lesson 17). */
function disaggregation(
  { promptTokens, outputTokens, prefixReuse }: PlanWorkload,
  engines: number,
  { gpusPerEngine }: EngineLayout,
): Plan['disaggregation'] {
  const enough = promptTokens.mean > 512 && outputTokens.mean > 200 && engines * gpusPerEngine >= 4;
  if (!enough) {
    return {
      advised: false,
      because: 'it needs prompts over 512 tokens, answers over 200, and at least 4 GPUs',
    };
  }
  if (prefixReuse !== 'none') {
    return {
      advised: false,
      because:
        'prompts are mostly cached, so prefills are short and chunked beside decodes; each would have to be moved',
    };
  }
  return {
    advised: true,
    because:
      'long prompts without reuse beside long answers, on 4 GPUs or more: try 1 prefill to 1 decode engine and measure',
  };
}
