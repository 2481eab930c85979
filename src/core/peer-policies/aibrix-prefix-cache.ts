// AIBrix's prefix-cache routing.
// Source: vllm-project/aibrix@e3e10f9, pkg/plugins/gateway/algorithms/prefix_cache.go, with its
// defaults: imbalance above 8 requests, load factor of one standard deviation, 20 minutes, 200,000
// blocks per pod. Blocks have 128 characters, as in its documentation (4 in the code, which would
// remember 200,000 tokens).
import type { Random } from '../base/index.ts';
import {
  definePolicy,
  type Endpoint,
  type Pick,
  type Policy,
  type RoutingRequest,
} from '../routing/index.ts';
import { indexOfLowest } from './choose.ts';
import { PrefixMemory, type PromptBlocks, promptBlocks, tokensOf } from './prefix-memory.ts';

export const aibrixPrefixCache = definePolicy({
  name: 'aibrix-prefix-cache',
  summary: 'AIBrix: longest match with at most mean + σ requests',
  parameters: {},
  consumes: { prompts: 'required' },
  create: ({ random }) => new AibrixPrefixCachePolicy(random),
});

const blockBytes = 128;
const blocksMax = 200_000;
const ttlSeconds = 20 * 60;
const imbalanceRequests = 8;
const deviationsMax = 1;

interface AibrixPick extends Pick {
  readonly blocks: PromptBlocks;
}

/**
 * If loads differ by more than 8 requests, only the least loaded engines can match. Among the engines
 * with a match, ordered by match and then by load, picks the first with at most mean + 1 σ requests;
 * without one, the engine with the fewest requests.
 */
class AibrixPrefixCachePolicy implements Policy {
  readonly name = 'aibrix-prefix-cache';
  readonly needsTokens = false;
  readonly #random: Random;
  readonly #memory = new PrefixMemory({ blocksMax, ttlSeconds });

  constructor(random: Random) {
    this.#random = random;
  }

  pick(request: RoutingRequest, endpoints: readonly Endpoint[], nowSeconds: number): AibrixPick {
    const blocks = promptBlocks(request, blockBytes);
    const loads = endpoints.map(({ load }) => load.inflight);
    const least = Math.min(...loads);
    const isImbalanced = Math.max(...loads) - least > imbalanceRequests;
    const held = endpoints.map((e) => this.#memory.leadingBlocks(e, blocks, nowSeconds));
    const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
    const variance = loads.reduce((sum, load) => sum + (load - mean) ** 2, 0) / loads.length;
    const loadMax = mean + deviationsMax * Math.sqrt(variance);
    const matched = loads.flatMap((load, i) =>
      (held[i] as number) > 0 && load <= loadMax && (!isImbalanced || load === least) ? [i] : [],
    );
    const longest = Math.max(0, ...matched.map((i) => held[i] as number));
    const candidates = matched.filter((i) => held[i] === longest);
    const among = candidates.length > 0 ? candidates : loads.map((_, i) => i);
    const own = indexOfLowest(
      among.map((i) => loads[i] as number),
      this.#random,
    );
    const best = among[own] as number;
    return {
      endpoint: endpoints[best] as Endpoint,
      reason:
        candidates.length > 0
          ? `prefix match of ${longest} blocks`
          : `no match; fewest requests in flight: ${loads[best]}`,
      cachedTokens: tokensOf(held[best] as number, blocks, request.promptTokens),
      scores: held,
      blocks,
    };
  }

  onSent(_request: RoutingRequest, pick: AibrixPick, nowSeconds: number): void {
    this.#memory.touch(pick.endpoint, pick.blocks, nowSeconds);
  }

  onEndpointReset(endpoint: Endpoint): void {
    this.#memory.reset(endpoint);
  }
}
