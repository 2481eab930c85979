// Round robin: engines take turns, whatever the request or the load.
import type { Endpoint, Pick, Policy, RoutingRequest } from '../../contract.ts';
import { definePolicy } from '../../define-policy.ts';

export const roundrobin = definePolicy({
  name: 'roundrobin',
  summary: 'the engines in turn, regardless of request and load',
  parameters: {},
  consumes: {},
  create: () => new RoundRobinPolicy(),
});

/**
 * Picks the candidate whose last turn is longest ago. Over a fixed set that is plain round robin;
 * over changing sets (several models, retries, engines that come and go) no engine starves, as with
 * a counter modulo the set's size, and none that comes back gets a burst, as with a count of picks.
 */
export class RoundRobinPolicy implements Policy {
  readonly name = 'roundrobin';
  readonly needsTokens = false;
  /** Endpoint to the number of its last turn. One entry per engine; entries leave with it. */
  readonly #lastTurns = new Map<Endpoint, number>();
  #turn = 0;

  pick(_request: RoutingRequest, endpoints: readonly Endpoint[]): Pick {
    let best: Endpoint | undefined;
    let bestTurn = Number.POSITIVE_INFINITY;
    for (const endpoint of endpoints) {
      const turn = this.#lastTurns.get(endpoint) ?? 0;
      if (turn < bestTurn) {
        best = endpoint;
        bestTurn = turn;
      }
    }
    this.#turn += 1;
    const endpoint = best as Endpoint;
    this.#lastTurns.set(endpoint, this.#turn);
    return { endpoint, reason: 'its turn', ground: 'turn', cachedTokens: 0, scores: undefined };
  }

  onEndpointReset(endpoint: Endpoint): void {
    this.#lastTurns.delete(endpoint);
  }
}
