// Prefix aware: the engine that holds most of the prompt, unless waiting there costs too much.

import { AssumedPrefixes, type PromptChain } from '../../assumed-prefixes.ts';
import type { Endpoint, Outcome, Pick, Policy, RoutingRequest } from '../../contract.ts';
import { definePolicy } from '../../define-policy.ts';
import { isSaturated, leastLoad, type SaturationOptions } from '../../saturation.ts';
import { Turns } from '../../turns.ts';
import { LeastLoadedPolicy } from '../leastloaded/leastloaded.ts';

export const prefixaware = definePolicy({
  name: 'prefixaware',
  summary: 'the engine that received the longest prefix of the prompt before, until it saturates',
  parameters: {
    prefixMinMatchLength: {
      type: 'integer',
      unit: 'bytes',
      min: 0,
      default: 0,
      help: 'minimum length of a match; shorter ones are ignored',
      upstream: { flag: '--prefix-min-match-length', valuesKey: 'prefixMinMatchLength' },
    },
  },
  consumes: {
    prompts: 'required',
    engineReports: { need: 'optional' },
    routerUpdates: { need: 'optional' },
  },
  create: ({ random, parameters }) =>
    new PrefixAwarePolicy(new LeastLoadedPolicy(random), {
      matchBytesMin: parameters.prefixMinMatchLength,
    }),
});

export interface PrefixAwareOptions extends SaturationOptions {
  /**
   * A shorter match, in bytes, counts as none.
   * @default 0
   */
  readonly matchBytesMin?: number | undefined;
  /**
   * A match below this share of the prompt counts as none. A prefix that all requests share, such
   * as a system prompt, is on every engine soon and must not tie them all to the first.
   * @default 0.5
   */
  readonly matchShareMin?: number | undefined;
}

/** Length of a prompt's blocks: the chunks of upstream's prefix trie have 128 characters. */
const blockBytes = 128;

interface PrefixAwarePick extends Pick {
  chain: PromptChain | undefined;
}

/** Longest prefix first, with a release; cold requests go to the least loaded engine. */
export class PrefixAwarePolicy implements Policy {
  readonly name = 'prefixaware';
  readonly needsTokens = false;
  readonly #cold: LeastLoadedPolicy;
  readonly #matchBytesMin: number;
  readonly #matchShareMin: number;
  readonly #release: SaturationOptions;
  readonly #assumed = new AssumedPrefixes(blockBytes);
  readonly #turns = new Turns();

  /** @param cold Picks for requests whose prefix no engine holds. */
  constructor(cold: LeastLoadedPolicy, options: PrefixAwareOptions = {}) {
    this.#cold = cold;
    this.#matchBytesMin = options.matchBytesMin ?? 0;
    this.#matchShareMin = options.matchShareMin ?? 0.5;
    this.#release = options;
  }

  pick(request: RoutingRequest, endpoints: readonly Endpoint[]): PrefixAwarePick {
    const chain = this.#assumed.chainOf(request);
    const held = new Float64Array(endpoints.length);
    this.#assumed.count(endpoints, chain, held);
    const scores = Array.from(held);
    let warm = 0;
    for (let i = 1; i < endpoints.length; i++) {
      const [endpoint, other] = [endpoints[i] as Endpoint, endpoints[warm] as Endpoint];
      const difference =
        (scores[warm] as number) - (scores[i] as number) ||
        endpoint.load.prefillTokens - other.load.prefillTokens ||
        endpoint.load.inflight - other.load.inflight ||
        this.#turns.lastOf(endpoint) - this.#turns.lastOf(other);
      if (difference < 0) warm = i;
    }
    const endpoint = endpoints[warm] as Endpoint;
    const cachedTokens = scores[warm] as number;
    const matched = `${cachedTokens} of ${request.promptTokens} tokens`;
    if (cachedTokens > 0 && this.#isMatch(cachedTokens, chain)) {
      const least = leastLoad(endpoints);
      if (!isSaturated(endpoint.load, least, cachedTokens, this.#release)) {
        const reason = `longest cached prefix: ${matched}`;
        return { endpoint, reason, cachedTokens, scores, chain };
      }
    }
    const pick = this.#cold.pick(request, endpoints);
    const index = endpoints.indexOf(pick.endpoint);
    const why = cachedTokens > 0 ? `released a prefix of ${matched}` : 'no cached prefix';
    const reason = `${why}; ${pick.reason}`;
    const cachedThere = scores[index] as number;
    return {
      ...{ endpoint: pick.endpoint, reason, ground: 'load' },
      ...{ cachedTokens: cachedThere, scores, chain },
    };
  }

  adopt(request: RoutingRequest, endpoint: Endpoint, cachedTokens: number): PrefixAwarePick {
    const chain = this.#assumed.chainOf(request);
    return { endpoint, reason: 'another router picked it', cachedTokens, scores: undefined, chain };
  }

  onSent(_request: RoutingRequest, pick: PrefixAwarePick): void {
    this.#turns.take(pick.endpoint);
    if (pick.chain) this.#assumed.sent(pick.endpoint, pick.chain);
  }

  onFinish(_request: RoutingRequest, pick: PrefixAwarePick, outcome: Outcome): void {
    if (pick.chain) {
      this.#assumed.finished(pick.endpoint, pick.chain, pick.cachedTokens, outcome);
    }
    // The pick may be kept for the debug route; its hashes are of no use there.
    pick.chain = undefined;
  }

  onEndpointReset(endpoint: Endpoint): void {
    this.#assumed.reset(endpoint);
    this.#turns.forget(endpoint);
  }

  #isMatch(cachedTokens: number, chain: PromptChain): boolean {
    // Only whole blocks can match, so only they count; cachedTokens is rounded down.
    const share = (cachedTokens + 1) / (chain.hashes.length * chain.blockTokens);
    const matchBytes = (cachedTokens / chain.promptTokens) * chain.promptBytes;
    return share >= this.#matchShareMin && matchBytes >= this.#matchBytesMin;
  }
}
