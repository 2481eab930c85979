// A plan: all that its page, its JSON and its files are made from.
import type { Decision, OverriddenThreshold, PlanFacts, PlanInput } from '../../core/plan/index.ts';
import type { Thresholds } from '../../core/values/index.ts';
import type { Assumption } from './assumptions.ts';
import type { EngineLayout } from './layout.ts';
import type { Routing } from './layout-settings.ts';
import type { PlanOperations, PlanWorkload } from './resolve-input.ts';
import type { Shortfall } from './shortfalls.ts';

/** A figure with the interval that 90 % of the simulated fleets lie in. */
export interface Estimate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** A layout as it was simulated. */
export interface Scenario {
  readonly label: string;
  readonly engines: number;
  readonly kvOffload: 'none' | 'native' | 'lmcache';
  readonly policy: string;
  /** Output tokens a second, of the whole fleet. */
  readonly throughput: Estimate;
  readonly ttftMs: Estimate;
  readonly tpotMs: Estimate;
  readonly e2eMs: Estimate;
  /** Share of the requests that meet every goal; of all requests where no goal is given. */
  readonly goodput: Estimate;
  /** Share of prompt tokens that no engine computed. */
  readonly hitRate: Estimate;
  readonly kvUseP99: Estimate;
  readonly preemptionsPerMinute: Estimate;
  /** Requests come faster than they are answered: its latencies grow for as long as it lasts. */
  readonly isOverloaded: boolean;
  readonly pricePerHour: number | undefined;
}

/** How much better one layout is than another: ratio of the same figure, from paired runs. */
export interface Gain {
  readonly of: string;
  readonly over: string;
  /** 0.2: 20 % more output tokens a second. */
  readonly throughput: Estimate;
  /** −0.3: the first token comes 30 % sooner. */
  readonly ttft: Estimate;
}

/** In how many bits KV cache is kept. */
export interface KvDtypeAdvice {
  /** What the plan runs: the model's own type. */
  readonly dtype: 'auto';
  /** What its owner should try. */
  readonly recommended: 'auto' | 'fp8';
  readonly because: string;
  /** Of fp8 over the plan; undefined where the GPU cannot. */
  readonly gain: Gain | undefined;
}

/** Something to buy or switch on next. */
export interface Purchase {
  readonly what: string;
  readonly gain: Gain;
  /** Dollars an hour more; undefined where no price is known. */
  readonly pricePerHour: number | undefined;
}

export interface Impact {
  readonly planned: Scenario;
  /** The same layout without offload. */
  readonly baseline: Scenario;
  readonly native: Scenario;
  readonly lmcache: Scenario;
  /** What runs today, where the input says it. */
  readonly today: Scenario | undefined;
  readonly gains: {
    readonly native: Gain;
    readonly lmcache: Gain;
    readonly overToday: Gain | undefined;
  };
  /** Of the tiers, behind each router that the fleet may get; the first is the simulated one. */
  readonly gainsByRouting: readonly {
    readonly routing: string;
    readonly native: Gain;
    readonly lmcache: Gain;
  }[];
  readonly purchases: readonly Purchase[];
  /** Prefill and decode on engines of their own, in the best of a few splits, where the rule advises it. */
  readonly apart:
    | {
        readonly prefillEngines: number;
        /** Between them, by name; assumed. */
        readonly link: string;
        readonly scenario: Scenario;
        /** Over the same engines together, without offload. */
        readonly gain: Gain;
      }
    | undefined;
  readonly kvDtype: KvDtypeAdvice;
  /** Of routing by prediction over the planned routing by KV events; undefined where that is not planned. */
  readonly predictiveRouting: Gain | undefined;
  /** Where the rules and the simulation do not agree. */
  readonly disagreement: string | undefined;
  /** KV of the working set over the KV that fits HBM, as simulated. */
  readonly workingSet: number;
  readonly runs: number;
  readonly seed: number;
}

/** An option that was not taken. */
export interface RejectedOption {
  readonly option: string;
  /** In numbers: what it would cost, where its break-even lies, how far away that is. */
  readonly because: string;
}

export interface Plan {
  readonly input: PlanInput;
  readonly thresholds: Thresholds;
  /** Those that are not the skill's. */
  readonly overridden: readonly OverriddenThreshold[];
  /** Of the fleet that was measured, if one was. */
  readonly prometheusUrl: string | undefined;
  /** File with the step times of a measured engine, as it was given. */
  readonly profile: string | undefined;
  readonly facts: PlanFacts;
  readonly workload: PlanWorkload;
  readonly operations: PlanOperations;
  readonly layout: EngineLayout;
  readonly decision: Decision;
  /** Engines that the plan runs. */
  readonly engines: number;
  readonly maxNumSeqs: number;
  readonly routing: Routing;
  /** Why the goals are not met, or not within the budget. */
  readonly shortfall: string | undefined;
  readonly disaggregation: { readonly advised: boolean; readonly because: string };
  readonly autoscaling: {
    readonly signal: string;
    readonly threshold: string;
    readonly waitingPerEngine: number;
    readonly enginesMax: number;
  };
  /** Host memory for KV cache, per engine, GiB; 0 without offload. */
  readonly offloadGiB: number;
  readonly impact: Impact;
  readonly rejectedOptions: readonly RejectedOption[];
  readonly shortfalls: readonly Shortfall[];
  readonly warnings: readonly string[];
  readonly assumptions: readonly Assumption[];
}
