// One request on one engine of a simulated fleet, from the pick to its end.
import type { EngineRequest } from '../engine/index.ts';
import type { Ticket } from '../routing/index.ts';
import type { SimulatedRequest } from './fleet-options.ts';

/** A request of the fleet, whatever engines it goes to. */
export interface FleetRequest {
  /** In order of arrival. */
  readonly index: number;
  readonly request: SimulatedRequest;
  /** The tokens of its blocks, made when first read. */
  readonly words: () => Uint32Array<ArrayBuffer>;
  /** Where prefill is apart: of the engine that is to answer, if it was picked before. */
  readonly decodeTicket?: Ticket | undefined;
}

export interface Attempt extends FleetRequest {
  readonly ticket: Ticket;
  /** Index of the engine. */
  readonly engine: number;
  /** `prefill`: the engine computes the prompt for another one to answer. */
  readonly leg: 'prefill' | 'answer';
  /** What the request asks for, or what is left of the engine's context. */
  readonly outputTokens: number;
  hasToken: boolean;
  cachedTokens: number;
}

/** Inside an engine a request knows its attempt: each token asks for it. */
export interface AttemptedRequest extends EngineRequest {
  readonly attempt: Attempt;
}

/** @param request One that a fleet gave to an engine. */
export function attemptOf(request: EngineRequest): Attempt {
  return (request as AttemptedRequest).attempt;
}
