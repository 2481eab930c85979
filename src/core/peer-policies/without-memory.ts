// The two baselines that ignore prompts: least-request, and random.
// Source: AIBrix's least-request (aibrix@e3e10f9) picks the fewest requests over all pods; random is
// what a Kubernetes Service does to new connections.
import { type Random, randomInteger } from '../base/index.ts';
import {
  definePolicy,
  type Endpoint,
  type Pick,
  type Policy,
  type RoutingRequest,
} from '../routing/index.ts';
import { indexOfLowest } from './choose.ts';

export const leastRequest = definePolicy({
  name: 'least-request',
  summary: 'AIBrix: fewest requests in flight',
  parameters: {},
  consumes: {},
  create: ({ random }) => new LeastRequestPolicy(random),
});

export const anyEngine = definePolicy({
  name: 'random',
  summary: 'a Kubernetes Service: any engine, with equal probability',
  parameters: {},
  consumes: {},
  create: ({ random }) => new RandomPolicy(random),
});

/** Fewest requests in flight; ties are random. */
class LeastRequestPolicy implements Policy {
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

/** Any engine, with equal probability. */
class RandomPolicy implements Policy {
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
