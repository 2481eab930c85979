// What a fleet is simulated with: engines, requests, the routers before them, and what goes wrong.
import type { Random } from '../base/index.ts';
import type { EngineConfig, KvConnector, StepCostModel } from '../engine/index.ts';
import type { KvIndex } from '../kv/index.ts';
import type { Policy } from '../routing/index.ts';
import type { RequestSource, WorkloadRequest } from '../traces/index.ts';
import type { Disaggregation } from './disaggregation.ts';

/** One request of a trace; equal block ids mean equal text after an equal prefix. */
export type SimulatedRequest = WorkloadRequest;

export interface SimulatedEngine {
  readonly config: EngineConfig;
  readonly cost: StepCostModel;
  /** What lies below the engine's KV cache; engines may share what is behind theirs. */
  readonly createConnector?: ((engine: number) => KvConnector) | undefined;
}

/** What a router's policy may be built from. */
export interface RouterOptions {
  readonly random: Random;
  /** Fed with the events of all engines if the policy reads them. */
  readonly kvIndex: KvIndex;
}

/** By name; or one, for a single router; or made for each router. */
export type PolicyChoice = Policy | string | ((options: RouterOptions) => Policy);

/** An engine that stops in mid-work and comes back with an empty cache. */
export interface EngineFailure {
  readonly engine: number;
  readonly atSeconds: number;
  /** Until it serves again; Infinity for never. */
  readonly seconds: number;
}

export interface FleetSimulationOptions {
  /** In order of arrival, or a source that gives them as answers come. */
  readonly requests: readonly SimulatedRequest[] | RequestSource;
  readonly engines: readonly SimulatedEngine[];
  readonly policy: PolicyChoice;
  /** Prefill and decode on engines of their own; they then have no tiers. @default undefined */
  readonly disaggregation?: Disaggregation | undefined;
  /**
   * Routers before the fleet, each with its own books and beliefs, which know only what went
   * through it; a request comes to any of them. KV events reach all. @default 1
   */
  readonly routers?: number | undefined;
  /** The routers tell each other of each attempt, from its sending to its end. @default false */
  readonly sharesAttempts?: boolean | undefined;
  /** Tokens per id in `blockIds`; a multiple of the engines' block size. */
  readonly traceBlockTokens: number;
  /** Arrivals of a trace come this many times as fast. @default 1 */
  readonly speed?: number | undefined;
  /** How often the router hears of the engines' own gauges; 0 = never. @default 5 */
  readonly reportSeconds?: number | undefined;
  /** Time between router and engine, each way. @default 0.0005 */
  readonly networkSeconds?: number | undefined;
  /** Whether answers tell `cached_tokens` in their usage. @default true */
  readonly usage?: boolean | undefined;
  /** For a policy given by name. @default 1 */
  readonly seed?: number | undefined;
  /**
   * Whether the engines publish KV events, for predictive; kvaware cannot do without. Feeding them
   * takes most of a simulation's time. @default false
   */
  readonly kvEvents?: boolean | undefined;
  /** For the policy prefixaware, in bytes of pseudo text, of which a token has four. */
  readonly prefixMinMatchLength?: number | undefined;
  /** The router has no key by which to tell sessions. @default false */
  readonly hidesSessions?: boolean | undefined;
  /** Keep the time of each token, 8 bytes a token. @default false */
  readonly keepTokens?: boolean | undefined;
  /** Keep samples of the engines' gauges for a picture. @default false */
  readonly keepSeries?: boolean | undefined;
  readonly failures?: readonly EngineFailure[] | undefined;
  /** Hears every few hundred requests how many are finished. */
  readonly onProgress?: ((finished: number) => void) | undefined;
  /** Hears of each request as it is sent. */
  readonly onSent?: ((request: SimulatedRequest) => void) | undefined;
}
