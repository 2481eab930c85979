// The result of a simulated fleet.
import type { HedgeOutcome } from '../attempts/index.ts';
import type { TierStats } from '../engine/index.ts';
import type { EngineRole } from './disaggregation.ts';
import type { FleetSample } from './fleet-series.ts';
import type { HandoffResults } from './handoff-log.ts';
import type { ScalingResult } from './scaling-options.ts';

/** Totals of one engine of the fleet. */
export interface FleetEngineResult {
  /** Undefined for an engine that does both. */
  readonly role: EngineRole | undefined;
  readonly requests: number;
  /** Prompt tokens computed at first admission; recomputation after a preemption is excluded. */
  readonly computedTokens: number;
  /** Found in the GPU's cache. */
  readonly cachedTokens: number;
  /** Found in a tier below it; for an engine that only decodes: read from those that prefill. */
  readonly externalTokens: number;
  /**
   * Tokens that tiers restored to preempted requests; not included in `externalTokens`, which counts
   * prompts.
   */
  readonly restoredTokens: number;
  /** Tokens of prompts and responses computed again after a preemption. */
  readonly recomputedAfterPreemption: number;
  /** Tokens of prompts computed again because their blocks were evicted, in whole blocks; undefined: not counted. */
  readonly recomputedAfterEviction: number | undefined;
  /** Counters of its connector; undefined without one. */
  readonly tiers: TierStats | undefined;
  readonly outputTokens: number;
  readonly preemptions: number;
  /** Share of the time up to the last arrival in which a step ran; 1 if all arrive at 0 s. */
  readonly utilization: number;
}

/** Outcomes of the requests; arrays are in arrival order. */
export interface FleetSimulationResult {
  readonly arrivalSeconds: Float64Array;
  readonly promptTokens: Float64Array;
  /** NaN where no token arrived. */
  readonly ttftSeconds: Float64Array;
  readonly e2eSeconds: Float64Array;
  /** Index of the engine that served the request; −1 if none could. */
  readonly engineOf: Int32Array;
  readonly cachedTokens: Float64Array;
  /** 1 for a request whose response never ended. */
  readonly failed: Uint8Array;
  /** Failed requests whose prompt leaves no space in the engine's context. */
  readonly refused: number;
  /** Failed requests that the router did not admit. */
  readonly rejected: number;
  /** Requests that were sent again after a failure on an engine. */
  readonly retries: number;
  /** Second attempts by outcome. */
  readonly hedges: Readonly<Record<HedgeOutcome, number>>;
  /** Σ cached prompt tokens / Σ prompt tokens. */
  readonly hitRate: number;
  /** Largest number of computed prompt tokens of an engine / their mean over the engines that prefill. */
  readonly spread: number;
  readonly preemptions: number;
  readonly engines: readonly FleetEngineResult[];
  /** By request, the arrival time of each token; empty unless `keepTokens`. */
  readonly tokenSeconds: readonly Float64Array[];
  /** Number of requests without a first token at each arrival. */
  readonly waitingAtArrival: Float64Array;
  /** Undefined unless prefill is disaggregated. */
  readonly handoffs: HandoffResults | undefined;
  /** Undefined unless the fleet is scaled. */
  readonly scaling: ScalingResult | undefined;
  /** Empty unless `keepSeries`. */
  readonly series: readonly FleetSample[];
  /** Virtual time from first arrival to last token. */
  readonly seconds: number;
}
