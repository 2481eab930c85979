// KV aware: picks the engine that holds most of the prompt according to the engines' own KV events.
import type {
  ChainScope,
  ExpectedBlocks,
  ExpectedPrompt,
  KvIndex,
  KvTier,
} from '../../../kv/index.ts';
import { AssumedPrefixes, type PromptChain } from '../../assumed-prefixes.ts';
import { addLoads, noTiers, type TierIndex } from '../../cache-tiers.ts';
import type { Endpoint, Outcome, Pick, Policy, RoutingRequest } from '../../contract.ts';
import { definePolicy } from '../../define-policy.ts';
import { isSaturated, leastLoad, type SaturationOptions } from '../../saturation.ts';
import { Turns } from '../../turns.ts';
import { LeastLoadedPolicy } from '../leastloaded/leastloaded.ts';

export const kvaware = definePolicy({
  name: 'kvaware',
  summary:
    'the engine that has most of the prompt in its cache according to KV events, until it saturates',
  parameters: {
    kvAwareThreshold: {
      type: 'integer',
      unit: 'tokens',
      min: 0,
      help: 'number of uncached tokens above which only load decides',
      upstream: { flag: '--kv-aware-threshold' },
    },
  },
  consumes: {
    prompts: 'optional',
    kvEvents: 'required',
    tokens: 'required',
    cacheTiers: 'optional',
    engineReports: { need: 'optional' },
  },
  create: ({ random, kvIndex, tiers, parameters }) =>
    new KvAwarePolicy(new LeastLoadedPolicy(random), kvIndex, {
      uncachedTokensMax: parameters.kvAwareThreshold,
      tiers,
    }),
});

export interface KvAwareOptions extends SaturationOptions {
  /**
   * With more uncached tokens than this on the best engine, the cache is ignored and the
   * least loaded engine is picked: upstream's `--kv-aware-threshold`. Upstream sets 2000; without
   * a value this rule is off, as it throws away most of what long conversations have cached.
   */
  readonly uncachedTokensMax?: number | undefined;
  /**
   * With at least this share of the prompt cached, the engine is kept until it saturates; below,
   * the engine with the least work ahead is picked, cached tokens being work saved. So a system
   * prompt that all requests share does not tie them to the engine that saw it first.
   * @default 0.5
   */
  readonly favouriteShareMin?: number | undefined;
  /** What engines would load from tiers below the GPU. @default what KV events say */
  readonly tiers?: TierIndex | undefined;
}

const favouriteShareMinDefault = 0.5;
/**
 * Work within so many prompt tokens of the least counts as equal, if fewer requests are in flight there: about 10 ms of an H100, and
 * longer than what a chat template or a short system prompt puts before each prompt.
 */
const equalTokens = 256;
/** A pick, with what was assumed or is expected because of it. */
interface KvAwarePick extends Pick {
  chain: PromptChain | undefined;
  expected: ExpectedPrompt | undefined;
}

/**
 * The feed of the index detects restarts from the engine itself, in order with its events. A prompt whose tokens are
 * unknown (no tokenizer for its model, images) is compared with what this router sent, as without events.
 */
export class KvAwarePolicy implements Policy {
  readonly name = 'kvaware';
  readonly readsKvEvents = true;
  readonly #cold: LeastLoadedPolicy;
  readonly #index: KvIndex;
  readonly #expected: ExpectedBlocks;
  /** Of prompts without tokens only. */
  readonly #assumed = new AssumedPrefixes();
  readonly #turns = new Turns();
  readonly #options: KvAwareOptions;
  readonly #tiers: TierIndex;

  /**
   * @param cold Picks for requests without any cached block.
   * @param index The caller feeds it with the events of the engines, under their URLs.
   */
  constructor(cold: LeastLoadedPolicy, index: KvIndex, options: KvAwareOptions = {}) {
    this.#cold = cold;
    this.#index = index;
    this.#expected = index.expectations();
    this.#options = options;
    this.#tiers = options.tiers ?? noTiers;
  }

  /** Changes when engines start and stop to report what they have. */
  get needsTokens(): boolean {
    return this.#index.hasLiveStream || this.#tiers.isLive;
  }

  pick(request: RoutingRequest, endpoints: readonly Endpoint[], nowSeconds = 0): KvAwarePick {
    this.#expected.forget(nowSeconds);
    const { tokens } = request;
    const hasEvents = tokens !== undefined && this.#index.hasLiveStream;
    const chain = hasEvents ? undefined : this.#assumed.chainOf(request);
    const cached = chain
      ? this.#assumedOf(chain, endpoints)
      : this.#cachedTokens(request, endpoints, 'GPU');
    const held = this.#held(request, endpoints, cached);
    return { ...this.#pick(request, endpoints, held), chain, expected: undefined };
  }

  onSent(request: RoutingRequest, pick: KvAwarePick): void {
    const { endpoint, chain } = pick;
    this.#turns.take(endpoint);
    if (chain !== undefined) this.#assumed.sent(endpoint, chain);
    const { tokens } = request;
    if (tokens === undefined) return;
    const { blockTokens } = endpoint.reported ?? {};
    pick.expected = this.#index.expect(this.#expected, {
      ...{ name: endpoint.url, tokens, scope: this.#scopeOf(request), blockTokens },
    });
  }

  onFirstByte(
    _request: RoutingRequest,
    { expected }: KvAwarePick,
    _seconds: number,
    nowSeconds: number,
  ): void {
    if (expected !== undefined) this.#expected.settle(expected, nowSeconds);
  }

  onFinish(
    _request: RoutingRequest,
    pick: KvAwarePick,
    outcome: Outcome,
    nowSeconds: number,
  ): void {
    const { endpoint, chain, expected, cachedTokens } = pick;
    if (expected !== undefined) {
      if (outcome.status === 'completed' && !outcome.isRefused)
        this.#expected.settle(expected, nowSeconds);
      else this.#expected.withdraw(expected);
    }
    if (chain !== undefined) this.#assumed.finished(endpoint, chain, cachedTokens, outcome);
    // The pick may be kept for the debug route; its hashes are not used there.
    pick.chain = undefined;
    pick.expected = undefined;
  }

  onEndpointReset(endpoint: Endpoint): void {
    this.#assumed.reset(endpoint);
    this.#turns.forget(endpoint);
  }

  #pick(request: RoutingRequest, endpoints: readonly Endpoint[], held: Held): Pick {
    const { cached, scores } = held;
    const warm = this.#indexOfLeast(endpoints, (_, i) => -(scores[i] as number), 0);
    const cachedTokens = cached[warm] as number;
    const matched = `${cachedTokens} of ${request.promptTokens} tokens`;
    const { uncachedTokensMax, favouriteShareMin = favouriteShareMinDefault } = this.#options;
    if (cachedTokens === 0) return this.#pickCold(request, endpoints, held, 'no cached block');
    if (
      uncachedTokensMax !== undefined &&
      request.promptTokens - cachedTokens > uncachedTokensMax
    ) {
      const why = `only ${matched} cached, over --kv-aware-threshold`;
      return this.#pickCold(request, endpoints, held, why);
    }
    const favourite = endpoints[warm] as Endpoint;
    const isFavourite = cachedTokens >= favouriteShareMin * request.promptTokens;
    const least = leastLoad(endpoints);
    if (isFavourite && !isSaturated(favourite.load, least, cachedTokens, this.#options)) {
      const reason = `most cached blocks: ${matched}`;
      return { endpoint: favourite, reason, cachedTokens, scores };
    }
    const best = this.#indexOfLeast(
      endpoints,
      ({ load }, i) => load.prefillTokens - (scores[i] as number),
      equalTokens,
    );
    const why = isFavourite
      ? `released ${matched} on a saturated engine`
      : `most cached: ${matched}`;
    return {
      endpoint: endpoints[best] as Endpoint,
      reason: `${why}; least prefill ahead, ${cached[best]} tokens cached`,
      ground: isFavourite ? 'load' : 'prefix',
      cachedTokens: cached[best] as number,
      scores,
    };
  }

  #pickCold(
    request: RoutingRequest,
    endpoints: readonly Endpoint[],
    { cached, scores }: Held,
    why: string,
  ): Pick {
    const pick = this.#cold.pick(request, endpoints);
    const cachedTokens = cached[endpoints.indexOf(pick.endpoint)] as number;
    const reason = `${why}; ${pick.reason}`;
    return { endpoint: pick.endpoint, reason, ground: 'load', cachedTokens, scores };
  }

  /**
   * Of those within `reach` of the least, the engine with the fewest requests in flight; then the least itself. Breaks ties by
   * less prefill ahead, then by fewer requests, then in turn.
   */
  #indexOfLeast(
    endpoints: readonly Endpoint[],
    cost: (endpoint: Endpoint, index: number) => number,
    reach: number,
  ): number {
    const costs = endpoints.map(cost);
    const limit = costs.reduce((least, own) => Math.min(least, own)) + reach;
    let best = -1;
    endpoints.forEach((endpoint, i) => {
      const own = costs[i] as number;
      if (own > limit) return;
      const other = endpoints[best];
      if (other === undefined) {
        best = i;
        return;
      }
      const difference =
        (reach > 0 ? endpoint.load.inflight - other.load.inflight : 0) ||
        own - (costs[best] as number) ||
        endpoint.load.prefillTokens - other.load.prefillTokens ||
        endpoint.load.inflight - other.load.inflight ||
        this.#turns.lastOf(endpoint) - this.#turns.lastOf(other);
      if (difference < 0) best = i;
    });
    return best;
  }

  #assumedOf(chain: PromptChain, endpoints: readonly Endpoint[]): Float64Array {
    const counted = new Float64Array(endpoints.length);
    this.#assumed.count(endpoints, chain, counted);
    return counted;
  }

  /** @param cached Tokens on each GPU; becomes those that the engine will not compute. */
  #held(request: RoutingRequest, endpoints: readonly Endpoint[], cached: Float64Array): Held {
    const tiers = this.#tiers;
    const loadSeconds = new Float64Array(endpoints.length);
    if (request.tokens !== undefined && this.#index.knowsTier('CPU')) {
      const loadable = this.#cachedTokens(request, endpoints, 'CPU');
      for (const [i, endpoint] of endpoints.entries()) {
        const more = (loadable[i] as number) - (cached[i] as number);
        if (more <= 0) continue;
        cached[i] = loadable[i] as number;
        loadSeconds[i] = more * tiers.loadSecondsPerToken('host', request, endpoint);
      }
    }
    addLoads(tiers, request, endpoints, cached, loadSeconds);
    const computeSeconds = tiers.computeSecondsPerToken(request);
    const scores = Array.from(cached, (tokens, i) => {
      return tokens - (loadSeconds[i] as number) / computeSeconds;
    });
    return { cached: Array.from(cached), scores };
  }

  /** Prompt tokens that each engine would find in a tier or above, by vLLM's own rule for the last block. */
  #cachedTokens(
    request: RoutingRequest,
    endpoints: readonly Endpoint[],
    tier: KvTier,
  ): Float64Array {
    const cached = new Float64Array(endpoints.length);
    const { tokens } = request;
    if (tokens === undefined) return cached;
    const names = endpoints.map(({ url }) => url);
    const scope = this.#scopeOf(request);
    const held = this.#index.match(tokens, scope, names, tier, this.#expected);
    for (const [i, name] of names.entries()) {
      const blockSize = this.#index.blockSizeOf(name);
      if (blockSize === 0) continue;
      // The last token is always computed again, for its logits, and with it the rest of its block.
      const usable = Math.floor((tokens.length - 1) / blockSize) * blockSize;
      cached[i] = Math.min(held[i] as number, usable);
    }
    return cached;
  }

  #scopeOf({ model, cacheSalt }: RoutingRequest): ChainScope {
    // An adapter is served under its own name as the model.
    const loraName = model !== undefined && this.#index.hasAdapter(model) ? model : undefined;
    return { loraName, cacheSalt };
  }
}

/** What the candidates hold of a prompt, each of shape [n], in tokens. */
interface Held {
  /** On the GPU or in a tier below: what the engine will not compute. */
  readonly cached: readonly number[];
  /** The same, less the tokens that it could compute in the time of its loads. */
  readonly scores: readonly number[];
}
