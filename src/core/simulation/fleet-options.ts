// Options of a fleet simulation: engines, requests, the routers in front of them, and failures.
import type { AdmissionLimits, AdmissionSettings, HedgeSettings } from '../attempts/index.ts';
import {
  defaultSaturationLimits,
  type ParameterValues,
  type SaturationLimits,
} from '../routing/index.ts';
import type { RequestSource, WorkloadRequest } from '../traces/index.ts';
import type { Disaggregation } from './disaggregation.ts';
import type { PolicyChoice } from './policy-choice.ts';
import type { SimulatedScaling } from './scaling-options.ts';
import type { SimulatedEngine } from './simulated-engine.ts';

/** One request of a trace; equal block ids mean equal text after an equal prefix. */
export type SimulatedRequest = WorkloadRequest;

/** An engine that stops during its work and returns with an empty cache. */
export interface EngineFailure {
  readonly engine: number;
  readonly atSeconds: number;
  /** Time until it serves again; Infinity for never. */
  readonly seconds: number;
}

/** The admission queue, which all routers of a simulation share. */
export interface SimulatedAdmission extends AdmissionLimits {
  /** When an engine counts as saturated; undefined: never. */
  readonly saturation: SaturationLimits | undefined;
  /** By default, all requests have one owner. */
  readonly owner?: ((request: SimulatedRequest) => string) | undefined;
  /** By default, all requests have the same priority. */
  readonly priority?: ((request: SimulatedRequest) => number) | undefined;
}

/** @returns Undefined if admission is off. */
export function simulatedAdmission(settings: AdmissionSettings): SimulatedAdmission | undefined {
  const { queueTimeout, maxQueuedRequests, saturationWait, holdTimeout } = settings;
  if (queueTimeout === 0 && holdTimeout === 0) return undefined;
  return {
    queueTimeoutSeconds: queueTimeout,
    holdTimeoutSeconds: holdTimeout,
    queuedRequestsMax: maxQueuedRequests,
    saturation:
      queueTimeout === 0 ? undefined : { ...defaultSaturationLimits, waitSeconds: saturationWait },
  };
}

export interface FleetSimulationOptions {
  /** In order of arrival, or a source that yields them as responses complete. */
  readonly requests: readonly SimulatedRequest[] | RequestSource;
  readonly engines: readonly SimulatedEngine[];
  readonly policy: PolicyChoice;
  /** Disaggregated prefill and decode; the engines then have no tiers. @default undefined */
  readonly disaggregation?: Disaggregation | undefined;
  /**
   * Routers in front of the fleet, each with its own load counts and assumed cache contents, based only
   * on the requests that it proxied; each request reaches one of them. KV events reach all. @default 1
   */
  readonly routers?: number | undefined;
  /** The routers share each attempt with each other, from its start to its end. @default false */
  readonly sharesAttempts?: boolean | undefined;
  /** Tokens per id in `blockIds`; a multiple of the engines' block size. */
  readonly traceBlockTokens: number;
  /** Factor on the arrival rate of a trace. @default 1 */
  readonly speed?: number | undefined;
  /** Interval at which the router reads the engines' own gauges; 0 = never. @default 5 */
  readonly reportSeconds?: number | undefined;
  /** One-way time between router and engine. @default 0.0005 */
  readonly networkSeconds?: number | undefined;
  /** Whether responses report `cached_tokens` in their usage. @default true */
  readonly usage?: boolean | undefined;
  /** For a policy given by name. @default 1 */
  readonly seed?: number | undefined;
  /**
   * Whether policies that do not require KV events use them. Feeding events takes most of a simulation's
   * time. @default false
   */
  readonly kvEvents?: boolean | undefined;
  /** Whether LMCache in the engines tells the routers what it has. @default false */
  readonly reportsTiers?: boolean | undefined;
  /** Values of policy parameters by name; bytes are those of pseudo text, which has four per token. */
  readonly policyParameters?: ParameterValues | undefined;
  /** The router has no key by which to identify sessions. @default false */
  readonly hidesSessions?: boolean | undefined;
  /** Keep the time of each token, 8 bytes per token. @default false */
  readonly keepTokens?: boolean | undefined;
  /** Keep samples of the engines' gauges for a chart. @default false */
  readonly keepSeries?: boolean | undefined;
  /** The router's admission queue; undefined for none. */
  readonly admission?: SimulatedAdmission | undefined;
  /** Requests whose first byte is late go to a second engine; without `disaggregation` and `keepTokens` only. @default none */
  readonly hedging?: HedgeSettings | undefined;
  readonly failures?: readonly EngineFailure[] | undefined;
  /** Engines are started and stopped; without `disaggregation` and `failures` only. @default none */
  readonly scaling?: SimulatedScaling | undefined;
  /** Called every few hundred requests with the number that are finished. */
  readonly onProgress?: ((finished: number) => void) | undefined;
  /** Called with each request as it is sent. */
  readonly onSent?: ((request: SimulatedRequest) => void) | undefined;
}
