// cache_aware of SGLang's router and of its successor SMG, which vLLM's Rust router also has.
// Source: lightseekorg/smg@73da68c, policies/cache_aware, with the defaults of its command line:
// match rate .3, absolute imbalance 64, relative 1.5.
import {
  definePolicy,
  type Endpoint,
  type Pick,
  type Policy,
  type RoutingRequest,
} from '../routing/index.ts';
import { PrefixMemory, type PromptBlocks, promptBlocks, tokensOf } from './prefix-memory.ts';

export const cacheAware = definePolicy({
  name: 'smg-cache-aware',
  summary:
    'SGLang and SMG: prefix match over 0.3, unless loads differ by 64 requests and a factor of 1.5',
  parameters: {},
  consumes: { prompts: 'required' },
  create: () => new CacheAwarePolicy(),
});

/** The tree matches by character; here by 256 bytes, the block of the simulated engines. */
const blockBytes = 256;
/** A tenant's tree is cut back to 2^26 characters. */
const blocksMax = 2 ** 26 / blockBytes;
const matchRateMin = 0.3;
const imbalanceRequests = 64;
const imbalanceRatio = 1.5;

interface CacheAwarePick extends Pick {
  readonly blocks: PromptBlocks;
}

/**
 * If loads are imbalanced, picks the least loaded engine. Otherwise the engine that last received the
 * longest known prefix, if the match is above the match rate; otherwise the smallest (requests in flight,
 * total requests, index).
 */
class CacheAwarePolicy implements Policy {
  readonly name = 'smg-cache-aware';
  readonly needsTokens = false;
  readonly #memory = new PrefixMemory({ blocksMax });
  readonly #processed = new Map<Endpoint, number>();

  pick(
    request: RoutingRequest,
    endpoints: readonly Endpoint[],
    nowSeconds: number,
  ): CacheAwarePick {
    const blocks = promptBlocks(request, blockBytes);
    const held = endpoints.map((e) => this.#memory.leadingBlocks(e, blocks, nowSeconds));
    const loads = endpoints.map(({ load }) => load.inflight);
    const [least, most] = [Math.min(...loads), Math.max(...loads)];
    const longest = Math.max(...held);
    const rate = blocks.hashes.length === 0 ? 0 : longest / blocks.hashes.length;
    const isImbalanced = most - least > imbalanceRequests && most > imbalanceRatio * least;
    const follows = !isImbalanced && rate > matchRateMin;
    const best = follows
      ? this.#lastUser(endpoints, blocks, held, longest)
      : this.#leastLoaded(endpoints, loads);
    const state = isImbalanced ? 'imbalanced; ' : '';
    return {
      endpoint: endpoints[best] as Endpoint,
      reason: follows
        ? `prefix match ${(100 * rate).toFixed(0)} %`
        : `${state}fewest requests in flight: ${loads[best]}`,
      cachedTokens: tokensOf(held[best] as number, blocks, request.promptTokens),
      scores: held,
      blocks,
    };
  }

  onSent(_request: RoutingRequest, pick: CacheAwarePick, nowSeconds: number): void {
    this.#memory.touch(pick.endpoint, pick.blocks, nowSeconds);
    this.#processed.set(pick.endpoint, (this.#processed.get(pick.endpoint) ?? 0) + 1);
  }

  onEndpointReset(endpoint: Endpoint): void {
    this.#memory.reset(endpoint);
    this.#processed.delete(endpoint);
  }

  /** Among the engines with the longest prefix, the one that used its last block most recently. */
  #lastUser(
    endpoints: readonly Endpoint[],
    blocks: PromptBlocks,
    held: readonly number[],
    longest: number,
  ): number {
    const usedAt = endpoints.map((endpoint, i) =>
      held[i] === longest
        ? this.#memory.lastUseSeconds(endpoint, blocks, longest - 1)
        : Number.NEGATIVE_INFINITY,
    );
    return usedAt.indexOf(Math.max(...usedAt));
  }

  #leastLoaded(endpoints: readonly Endpoint[], loads: readonly number[]): number {
    const processed = endpoints.map((endpoint) => this.#processed.get(endpoint) ?? 0);
    return loads.reduce((best, load, i) => {
      const ahead = load - (loads[best] as number);
      const fewer = (processed[i] as number) - (processed[best] as number);
      return ahead < 0 || (ahead === 0 && fewer < 0) ? i : best;
    }, 0);
  }
}
