// What comes out of a simulated fleet.
import type { TierStats } from '../engine/index.ts';
import type { EngineRole } from './disaggregation.ts';
import type { FleetSample } from './fleet-series.ts';
import type { HandoffResults } from './handoff-log.ts';

/** What one engine of the fleet did. */
export interface FleetEngineResult {
  /** Undefined for an engine that does both. */
  readonly role: EngineRole | undefined;
  readonly requests: number;
  /** Prompt tokens computed at first admission; recomputing after a preemption not counted. */
  readonly computedTokens: number;
  /** Found in the GPU's cache. */
  readonly cachedTokens: number;
  /** Found in a tier below it; of an engine that decodes only: read from those that prefill. */
  readonly externalTokens: number;
  /** What tiers gave back to preempted requests; no part of `externalTokens`, which is of prompts. */
  readonly restoredTokens: number;
  /** Of its connector; undefined without one. */
  readonly tiers: TierStats | undefined;
  readonly outputTokens: number;
  readonly preemptions: number;
  /** Share of the time up to the last arrival in which a step ran; 1 if all arrive at 0 s. */
  readonly utilization: number;
}

/** What became of the requests; arrays are in arrival order. */
export interface FleetSimulationResult {
  readonly arrivalSeconds: Float64Array;
  readonly promptTokens: Float64Array;
  /** NaN where no token came. */
  readonly ttftSeconds: Float64Array;
  readonly e2eSeconds: Float64Array;
  /** Index of the engine that served the request; −1 if none could. */
  readonly engineOf: Int32Array;
  readonly cachedTokens: Float64Array;
  /** 1 for a request whose answer never ended. */
  readonly failed: Uint8Array;
  /** Of the failed, those whose prompt leaves no room in the engine's context. */
  readonly refused: number;
  /** Requests that were sent again after an engine failed them. */
  readonly retries: number;
  /** Σ cached prompt tokens / Σ prompt tokens. */
  readonly hitRate: number;
  /** Most computed prompt tokens of an engine / their mean over the engines that prefill. */
  readonly spread: number;
  readonly preemptions: number;
  readonly engines: readonly FleetEngineResult[];
  /** By request, when each of its tokens came; empty unless `keepTokens`. */
  readonly tokenSeconds: readonly Float64Array[];
  /** Requests in the fleet without a first token, as each request arrived. */
  readonly waitingAtArrival: Float64Array;
  /** Undefined unless prefill and decode are apart. */
  readonly handoffs: HandoffResults | undefined;
  /** Empty unless `keepSeries`. */
  readonly series: readonly FleetSample[];
  /** Virtual time from first arrival to last token. */
  readonly seconds: number;
}
