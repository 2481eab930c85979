// Options of disaggregated prefill and decode.
import type { KvExchangeEngine } from '../engine/index.ts';
import type { PolicyChoice } from './policy-choice.ts';

export type EngineRole = 'prefill' | 'decode';

/** Engines that prefill and engines that decode, instead of engines that do both. */
export interface Disaggregation {
  /** By engine; at least one of each. */
  readonly roles: readonly EngineRole[];
  /** By engine: its link to the network between them. */
  readonly links: readonly KvExchangeEngine[];
  readonly latencySeconds: number;
  /** Picks the engine that decodes; the fleet's own policy picks the one that prefills. */
  readonly decodePolicy: PolicyChoice;
  /**
   * Treatment of a request whose prompt is lost with the engine that held it: vLLM's
   * `kv_load_failure_policy`.
   */
  readonly loadFailure: 'fail' | 'recompute';
  /**
   * A prompt with fewer tokens than this that are not expected in the decode engine's cache is prefilled
   * on the decode engine. That engine is then picked first. @default 0: never
   */
  readonly remotePrefillTokensMin?: number | undefined;
}
