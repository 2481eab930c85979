// A plan: the data behind its page, its JSON and its files.
import type { Decision, OverriddenThreshold, PlanFacts, PlanInput } from '../../core/plan/index.ts';
import type { Thresholds } from '../../core/values/index.ts';
import type { Assumption } from './assumptions.ts';
import type { EngineLayout } from './layout.ts';
import type { PlanOperations, PlanWorkload } from './resolve-input.ts';
import type { Gain, Scenario } from './scenario.ts';
import type { SettledOffload } from './settle-offload.ts';

/** Advice on the data type of the KV cache. */
export interface KvDtypeAdvice {
  /** Type in the plan: the model's own. */
  readonly dtype: 'auto';
  /** Type worth trying. */
  readonly recommended: 'auto' | 'fp8';
  readonly because: string;
  /** Gain of fp8 over the plan; undefined if the GPU does not support it. */
  readonly gain: Gain | undefined;
}

/** A possible next purchase or setting. */
export interface Purchase {
  readonly what: string;
  readonly gain: Gain;
  /** Additional dollars per hour; undefined if unknown. */
  readonly pricePerHour: number | undefined;
}

export interface Impact {
  readonly planned: Scenario;
  /** The same layout without offload. */
  readonly baseline: Scenario;
  readonly native: Scenario;
  readonly lmcache: Scenario;
  /** The current deployment, if the input describes it. */
  readonly today: Scenario | undefined;
  readonly gains: {
    readonly native: Gain;
    readonly lmcache: Gain;
    readonly overToday: Gain | undefined;
  };
  /** Gains of the tiers with each possible router; the first is the simulated one. */
  readonly gainsByRouting: readonly {
    readonly routing: string;
    readonly native: Gain;
    readonly lmcache: Gain;
  }[];
  readonly purchases: readonly Purchase[];
  /** Disaggregated prefill with the best of a few splits, if the rule advises it. */
  readonly disaggregated:
    | {
        readonly prefillEngines: number;
        /** Name of the assumed link between them. */
        readonly link: string;
        readonly scenario: Scenario;
        /** Compared with the same engines aggregated, without offload. */
        readonly gain: Gain;
      }
    | undefined;
  readonly kvDtype: KvDtypeAdvice;
  /**
   * The other policy that reads KV events, kvaware or predictive, and its gain over the plan; undefined where
   * neither is planned for prompts that share prefixes.
   */
  readonly otherRouting: { readonly policy: string; readonly gain: Gain } | undefined;
  /** Working set over the KV cache in HBM, as simulated. */
  readonly workingSet: number;
  readonly runs: number;
  readonly seed: number;
}

/** A rejected option. */
export interface RejectedOption {
  readonly option: string;
  /** Its cost, its break-even, and the distance to it. */
  readonly because: string;
}

export interface Plan {
  readonly input: PlanInput;
  readonly thresholds: Thresholds;
  /** Thresholds that differ from the skill's. */
  readonly overridden: readonly OverriddenThreshold[];
  /** Prometheus of the measured fleet, if any. */
  readonly prometheusUrl: string | undefined;
  /** Path of the file with measured step times, as given. */
  readonly profile: string | undefined;
  readonly facts: PlanFacts;
  readonly workload: PlanWorkload;
  readonly operations: PlanOperations;
  readonly layout: EngineLayout;
  /** With the offload that is settled, which may be less than the rules allow. */
  readonly decision: Decision;
  readonly offload: SettledOffload;
  /** Number of engines. */
  readonly engines: number;
  readonly routing: Routing;
  /** Reason why the goals are missed, or missed within the budget. */
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

/** The router of a plan. */
export interface Routing {
  /** Policy of Spillway's router, as in the values file. */
  readonly policy: string;
  readonly because: string;
  /** Simulated policy; differs from `policy` if the input names another router than Spillway's. */
  readonly simulated: string;
  /** Other routers that the input allows; intervals cover them. */
  readonly alternatives: readonly string[];
}

export interface Shortfall {
  readonly of: 'budget' | 'load' | 'goals' | 'needs';
  /** One sentence without a full stop. */
  readonly because: string;
}
