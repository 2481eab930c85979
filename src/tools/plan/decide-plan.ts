// Turns an input into a decision: fills open values, sizes the fleet, applies the rules.

import {
  type OffloadKind,
  type PlanInput,
  resolveThresholds,
  type ThresholdSource,
} from '../../core/plan/index.ts';
import type { TimeUnit } from '../../core/traces/index.ts';
import type { DocumentOverride } from '../../core/values/index.ts';
import { PrometheusClient } from '../../io/prometheus/index.ts';
import { interruptible } from '../../io/signals/index.ts';
import { loadTrace } from '../../io/traces/index.ts';
import { loadValues } from '../../io/values/index.ts';
import { type Assumption, Assumptions } from './assumptions.ts';
import { candidateLayouts } from './candidate-layouts.ts';
import { gpuPrice } from './gpu-prices.ts';
import type { EngineLayout } from './layout.ts';
import type { LayoutRuns } from './layout-runs.ts';
import { disaggregation } from './layout-settings.ts';
import { measureFleet } from './measure-fleet.ts';
import { measureTrace } from './measure-trace.ts';
import type { Plan } from './plan.ts';
import { namesTrace, type ReadInput, readPlanInput } from './read-input.ts';
import { resolveOperations, resolveWorkload } from './resolve-input.ts';
import { type SettledFleet, settleFleet, sizingFigures } from './settle-fleet.ts';
import { sizeFleet } from './sizing.ts';

export interface PlanRequest {
  /** Path of the input; `-` is standard input. */
  readonly file: string | undefined;
  readonly overrides: readonly DocumentOverride[];
  readonly trace: string | undefined;
  /** Unit of the trace's timestamps. @default recognised */
  readonly traceUnit?: TimeUnit | undefined;
  readonly prometheus:
    | { readonly url: string; readonly selector: string; readonly windowSeconds: number }
    | undefined;
  /** Values file whose `spillway.thresholds` apply unless the input overrides them. */
  readonly thresholdsFrom?: string | undefined;
  /** File from `spillway calibrate`; its constants replace the built-in ones. */
  readonly profile?: string | undefined;
  readonly seed: number;
}

/** A plan without the figures of its page; those that decided about size and offload are in `runs`. */
export interface DecidedPlan
  extends Omit<Plan, 'impact' | 'rejectedOptions' | 'shortfalls' | 'warnings' | 'assumptions'> {
  /** Host memory of layouts with offload, even if the decision is none. GiB per engine. */
  readonly offloadGiBWhereUsed: number;
  /** Host memory that offload leaves unused, in GiB per engine. */
  readonly spareGiB: number;
  /** Working set over the KV cache in HBM. */
  readonly workingSet: number;
  readonly runs: LayoutRuns;
  /** The current deployment, if the input describes it. */
  readonly today:
    | { readonly engines: number; readonly kvOffload: OffloadKind; readonly policy: string }
    | undefined;
  readonly assumptions: readonly Assumption[];
}

/** Waiting requests per engine above which an engine is added, as in the upstream chart. */
const waitingPerEngine = 5;

/**
 * Decides by the rules, and by the simulated figures of what they choose: an offload has to pay, and a size that the
 * input leaves open has to meet the goals.
 *
 * @throws {InputError} If the input is bad, a name unknown, or the model fits on no GPU.
 */
export async function decidePlan(request: PlanRequest): Promise<DecidedPlan> {
  const assumptions = new Assumptions();
  const read = await readPlanInput(request.file, request.overrides);
  const input = await withMeasuredFleet(read.input, request, assumptions);
  const { thresholds, overridden } = resolveThresholds(await thresholdSources(input, request));
  for (const { threshold, value, insteadOf, by } of overridden) {
    assumptions.note('thresholds', `${threshold} ${value} instead of ${insteadOf}`, `set by ${by}`);
  }
  const workload = resolveWorkload(input, await measuredTrace(read, request), assumptions);
  const operations = resolveOperations(input, assumptions);
  const { layouts, wantedEngines } = await candidateLayouts(
    { ...read, input, file: request.file, profile: request.profile },
    workload,
    assumptions,
  );
  const settled = new Map<string, SettledFleet>();
  const settle = (layout: EngineLayout, engines: number): SettledFleet => {
    const key = `${engines} × ${layouts.indexOf(layout)}`;
    const fleet =
      settled.get(key) ??
      settleFleet(layout, engines, {
        ...{ workload, operations, thresholds, slo: input.slo, wants: input.wants },
        ...{ loraAdapters: input.fleet.loraAdapters ?? 0, maxNumSeqs: input.fleet.maxNumSeqs },
        seed: request.seed,
      });
    settled.set(key, fleet);
    return fleet;
  };
  const sized = await interruptible(() =>
    sizeFleet({
      ...{ layouts, workload, slo: input.slo, seed: request.seed },
      budgetPerHour: operations.budgetPerHour,
      hbmUtilization: thresholds.hbmUtilization,
      engines: operations.kubernetes || wantedEngines !== undefined ? wantedEngines : 1,
      figuresOf: (layout, engines) => sizingFigures(settle(layout, engines)),
    }),
  );
  if (operations.gpuPricePerHour === undefined) notePrice(sized.layout.gpu.name, assumptions);
  const fleet = await interruptible(() => settle(sized.layout, sized.engines));
  const { engines, layout, facts, decision, routing: routed, offloadGiB } = fleet;
  if (routed.alternatives.length > 0) {
    const or = [routed.simulated, ...routed.alternatives].join(' or ');
    assumptions.note('operations.routing', or, 'not given: routing determines what caches gain');
  }
  const today = input.current && {
    engines: input.current.engines ?? engines,
    kvOffload: input.current.kvOffload ?? ('none' as const),
    policy: input.current.policy ?? operations.routing ?? 'roundrobin',
  };
  return {
    ...{ input, thresholds, overridden, facts, workload, operations, layout, decision, engines },
    ...{ prometheusUrl: request.prometheus?.url, profile: request.profile },
    ...{ routing: routed, workingSet: fleet.workingSet, offload: fleet.offload, today },
    disaggregation: disaggregation(workload, engines, layout),
    autoscaling: {
      signal:
        'vllm:num_requests_waiting and vllm:kv_cache_usage_perc, summed over the engines (KEDA, Prometheus triggers)',
      threshold: `more than ${waitingPerEngine} waiting per engine, or KV use of ${Math.round(thresholds.hbmUtilization * 100)} % per engine, checked every 15 s, adds engines`,
      waitingPerEngine,
      enginesMax: Math.max(engines + 1, Math.ceil(engines * 1.5)),
    },
    offloadGiB: decision.kvOffload === 'none' ? 0 : offloadGiB,
    offloadGiBWhereUsed: offloadGiB,
    spareGiB: fleet.spareGiB,
    runs: fleet.runs,
    shortfall: sized.shortfall,
    assumptions: assumptions.list,
  };
}

async function thresholdSources(
  { thresholds }: PlanInput,
  { thresholdsFrom }: PlanRequest,
): Promise<readonly ThresholdSource[]> {
  const ofInput = { name: 'thresholds of the input', given: thresholds };
  if (thresholdsFrom === undefined) return [ofInput];
  const { spillway } = await loadValues({ files: [thresholdsFrom] });
  const name = `spillway.thresholds of ${thresholdsFrom}`;
  return [{ name, given: spillway.thresholds }, ofInput];
}

async function measuredTrace({ input, at }: ReadInput, { trace, traceUnit }: PlanRequest) {
  const timeUnit = traceUnit;
  if (trace !== undefined) return measureTrace(await loadTrace(trace, { timeUnit }));
  const { promptTokens } = input.workload;
  if (!namesTrace(promptTokens)) return undefined;
  const load = () => loadTrace(promptTokens.trace, { timeUnit });
  return measureTrace(await at('workload.promptTokens.trace', load));
}

/** Fills values that the file leaves open with measurements from Prometheus. */
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

function notePrice(gpu: string, assumptions: Assumptions): void {
  const price = gpuPrice(gpu);
  assumptions.note(
    'operations.gpuPricePerHour',
    price === undefined ? 'unknown' : price.dollarsPerHour.toFixed(2),
    price === undefined
      ? `no known list price of ${gpu}: give your own`
      : `list price on demand (${price.source}); give your own`,
  );
}
