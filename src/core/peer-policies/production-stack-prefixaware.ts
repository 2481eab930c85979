// prefixaware of vLLM's production stack: the longest prefix wins, regardless of load. Our own
// `prefixaware` has its name and flags, but avoids a saturated engine and forgets old prefixes.
// Source: vllm-project/production-stack@a6c01db, src/vllm_router/routers/routing_logic.py and
// prefix/hashtrie.py: chunks of 128 characters, a random one of the deepest holders, no eviction.
import { type Random, randomInteger } from '../base/index.ts';
import {
  definePolicy,
  type Endpoint,
  type Pick,
  type Policy,
  type RoutingRequest,
} from '../routing/index.ts';
import { PrefixMemory, type PromptBlocks, promptBlocks, tokensOf } from './prefix-memory.ts';

export const productionStackPrefixAware = definePolicy({
  name: 'production-stack-prefixaware',
  summary: 'vLLM production stack: longest prefix, regardless of load',
  parameters: {},
  consumes: { prompts: 'required' },
  create: ({ random }) => new ProductionStackPrefixAwarePolicy(random),
});

const blockBytes = 128;
/** Upstream has no limit; this exceeds what any comparison here sends: 2 GB of text per engine. */
const blocksMax = 2 ** 24;

interface TriePick extends Pick {
  readonly blocks: PromptBlocks;
}

class ProductionStackPrefixAwarePolicy implements Policy {
  readonly name = 'production-stack-prefixaware';
  readonly needsTokens = false;
  readonly #random: Random;
  readonly #memory = new PrefixMemory({ blocksMax });

  constructor(random: Random) {
    this.#random = random;
  }

  pick(request: RoutingRequest, endpoints: readonly Endpoint[], nowSeconds: number): TriePick {
    const blocks = promptBlocks(request, blockBytes);
    const held = endpoints.map((e) => this.#memory.leadingBlocks(e, blocks, nowSeconds));
    const longest = Math.max(...held);
    const holders = endpoints.filter((_, i) => held[i] === longest);
    const endpoint = holders[randomInteger(this.#random, holders.length)] as Endpoint;
    return {
      endpoint,
      reason: `one of ${holders.length} that hold ${longest} blocks`,
      cachedTokens: tokensOf(longest, blocks, request.promptTokens),
      scores: held,
      blocks,
    };
  }

  onSent(_request: RoutingRequest, pick: TriePick, nowSeconds: number): void {
    this.#memory.touch(pick.endpoint, pick.blocks, nowSeconds);
  }

  onEndpointReset(endpoint: Endpoint): void {
    this.#memory.reset(endpoint);
  }
}
