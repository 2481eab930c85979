// Least loaded: the engine with the fewest requests in flight.
import type { Random } from '../../../base/index.ts';
import type { Endpoint, Pick, Policy, RoutingRequest } from '../../contract.ts';
import { definePolicy } from '../../define-policy.ts';

export const leastloaded = definePolicy({
  name: 'leastloaded',
  summary: 'the engine with the fewest requests in flight',
  parameters: {},
  consumes: {},
  create: ({ random }) => new LeastLoadedPolicy(random),
});

/**
 * Join the shortest queue: fewest requests in flight, then fewest prompt tokens in prefill; equals
 * are drawn at random, so that an idle fleet is filled evenly and two routers do not march in step.
 */
export class LeastLoadedPolicy implements Policy {
  readonly name = 'leastloaded';
  readonly needsTokens = false;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  pick(_request: RoutingRequest, endpoints: readonly Endpoint[]): Pick {
    let best = endpoints[0] as Endpoint;
    let equals = 1;
    for (let i = 1; i < endpoints.length; i++) {
      const endpoint = endpoints[i] as Endpoint;
      const difference =
        endpoint.load.inflight - best.load.inflight ||
        endpoint.load.prefillTokens - best.load.prefillTokens;
      if (difference < 0) {
        best = endpoint;
        equals = 1;
      } else if (difference === 0) {
        // Reservoir sampling: each of k equals ends up chosen with chance 1/k.
        equals += 1;
        if (this.#random.next() * equals < 1) best = endpoint;
      }
    }
    return {
      endpoint: best,
      reason: `fewest requests in flight: ${best.load.inflight}`,
      cachedTokens: 0,
      scores: endpoints.map(({ load }) => load.inflight),
    };
  }
}
