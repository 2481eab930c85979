// What all disaggregated requests of a router share.
import type { RoutingCore } from '../../../core/routing/index.ts';

/**
 * What became of the first leg. `transferred`: the engine that responds was told where the KV is. `stored`: it finds the
 * KV by itself, in a shared store. `lost`: the first engine did not say where the KV is, and the prompt is computed again.
 * `short`: most of the prompt was cached where it is decoded. `unavailable`: no engine prefills now. In the last two cases
 * one engine did the whole of the request.
 */
export type HandoffOutcome = 'transferred' | 'stored' | 'lost' | 'short' | 'unavailable';

export interface HandoffContext {
  readonly core: RoutingCore;
  /** Whether engines say where the KV is: `disaggregated_prefill_orchestrated`. */
  readonly asksForParams: boolean;
  /** See `DisaggregationSettings`. */
  readonly remotePrefillTokensMin: number;
  count(outcome: HandoffOutcome): void;
}
