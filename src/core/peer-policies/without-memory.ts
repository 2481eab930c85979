// The two yardsticks that know nothing of prompts: least-request, and random.
// Source: AIBrix's least-request (aibrix@e3e10f9) takes the fewest requests over all pods; random is
// what a Kubernetes Service does to new connections.
import { type Random, randomInteger } from '../base/index.ts';
import type { Endpoint, Pick, Policy, RoutingRequest } from '../routing/index.ts';
import { indexOfLowest } from './choose.ts';

/** Fewest requests in flight; equals are drawn. */
export class LeastRequestPolicy implements Policy {
  readonly name = 'least-request';
  readonly needsTokens = false;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  pick(_request: RoutingRequest, endpoints: readonly Endpoint[]): Pick {
    const scores = endpoints.map(({ load }) => load.inflight);
    const best = indexOfLowest(scores, this.#random);
    const reason = `fewest requests in flight: ${scores[best]}`;
    return { endpoint: endpoints[best] as Endpoint, reason, cachedTokens: 0, scores };
  }
}

/** Any engine, with equal chances. */
export class RandomPolicy implements Policy {
  readonly name = 'random';
  readonly needsTokens = false;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  pick(_request: RoutingRequest, endpoints: readonly Endpoint[]): Pick {
    const endpoint = endpoints[randomInteger(this.#random, endpoints.length)] as Endpoint;
    return { endpoint, reason: 'drawn', cachedTokens: 0, scores: undefined };
  }
}
