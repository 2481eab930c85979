// Round robin: engines take turns, whatever the request or the load.
import type { Endpoint, Pick, Policy, RoutingRequest } from '../../contract.ts';
import { definePolicy } from '../../define-policy.ts';
import { Turns } from '../../turns.ts';

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
  readonly #turns = new Turns();

  pick(_request: RoutingRequest, endpoints: readonly Endpoint[]): Pick {
    let best: Endpoint | undefined;
    let bestTurn = Number.POSITIVE_INFINITY;
    for (const endpoint of endpoints) {
      const turn = this.#turns.lastOf(endpoint);
      if (turn < bestTurn) {
        best = endpoint;
        bestTurn = turn;
      }
    }
    const endpoint = best as Endpoint;
    this.#turns.take(endpoint);
    return { endpoint, reason: 'its turn', ground: 'turn', cachedTokens: 0, scores: undefined };
  }

  onEndpointReset(endpoint: Endpoint): void {
    this.#turns.forget(endpoint);
  }
}
