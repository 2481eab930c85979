// NVIDIA Dynamo's KV router: lowest cost in blocks of prefill and of decode.
// Source: ai-dynamo/dynamo lib/kv-router/src/scheduling/selector.rs as read on 2026-11-21 (see
// router-peers: some items may be of unmerged branches), with its defaults: prefill load scale 1,
// overlap credit 1 without decay, active requests not weighted, temperature 0.
import type { Random } from '../base/index.ts';
import {
  definePolicy,
  type Endpoint,
  type Outcome,
  type Pick,
  type Policy,
  type RoutingRequest,
} from '../routing/index.ts';
import { indexOfLowest } from './choose.ts';
import type { NamedPromptBlocks, PromptBlocks } from './prefix-memory.ts';
import { type PrefixSource, precisePrefixes } from './prefix-source.ts';

export const dynamo = definePolicy({
  name: 'dynamo',
  summary: 'Dynamo: least uncached prefill blocks + distinct active blocks',
  parameters: {},
  consumes: {
    prompts: 'optional',
    kvEvents: 'required',
    tokens: 'required',
    routerUpdates: { need: 'optional' },
  },
  create: ({ random, kvIndex }) =>
    // Its predicted side index (--router-predicted-ttl-secs) is off by default.
    new DynamoPolicy({
      ...{ name: 'dynamo', random, prefixes: precisePrefixes(kvIndex, { speculates: false }) },
    }),
});

/** Tokens per block; all terms of the cost are in blocks, so it affects rounding only. */
const blockTokens = 64;

interface DynamoPick extends Pick {
  /** Undefined once the request is over. */
  chain: NamedPromptBlocks | undefined;
  readonly active: ActiveBlocks;
}

/**
 * cost = max((prefill tokens in flight + prompt) / block − cached blocks, 0)
 *        + distinct blocks of the requests in flight, this one included.
 */
export class DynamoPolicy implements Policy {
  readonly name: string;
  readonly needsTokens: boolean;
  readonly readsKvEvents: boolean;
  readonly #random: Random;
  readonly #prefixes: PrefixSource;
  readonly #active = new Map<Endpoint, ActiveBlocks>();

  constructor(options: {
    readonly name: string;
    readonly random: Random;
    readonly prefixes: PrefixSource;
  }) {
    this.name = options.name;
    this.needsTokens = options.prefixes.needsTokens;
    this.readsKvEvents = options.prefixes.needsTokens;
    this.#random = options.random;
    this.#prefixes = options.prefixes;
  }

  pick(request: RoutingRequest, endpoints: readonly Endpoint[], nowSeconds: number): DynamoPick {
    const { blocks, cachedTokens } = this.#prefixes.match(request, endpoints, nowSeconds);
    const actives = endpoints.map((endpoint) => this.#activeOf(endpoint));
    const scores = endpoints.map(({ load }, i) => {
      const prefill = (load.prefillTokens + request.promptTokens) / blockTokens;
      const credit = Math.floor((cachedTokens[i] as number) / blockTokens);
      return Math.max(prefill - credit, 0) + (actives[i] as ActiveBlocks).countWith(blocks);
    });
    const best = indexOfLowest(scores, this.#random);
    return {
      endpoint: endpoints[best] as Endpoint,
      reason: `least cost: ${(scores[best] as number).toFixed(1)} blocks`,
      cachedTokens: cachedTokens[best] as number,
      scores,
      chain: blocks,
      active: actives[best] as ActiveBlocks,
    };
  }

  /** With `router_replica_sync`, routers share their active sequences with each other. */
  adopt(request: RoutingRequest, endpoint: Endpoint, cachedTokens: number): DynamoPick {
    return {
      ...{ endpoint, reason: 'another router picked it', cachedTokens, scores: undefined },
      ...{ chain: this.#prefixes.blocksOf(request), active: this.#activeOf(endpoint) },
    };
  }

  onSent(_request: RoutingRequest, pick: DynamoPick, nowSeconds: number): void {
    if (pick.chain === undefined) return;
    pick.active.add(pick.chain);
    this.#prefixes.sent(pick.endpoint, pick.chain, nowSeconds);
  }

  onFinish(_request: RoutingRequest, pick: DynamoPick, _outcome: Outcome): void {
    if (pick.chain) pick.active.remove(pick.chain);
    pick.chain = undefined;
  }

  onEndpointReset(endpoint: Endpoint): void {
    // Requests that are still open refer to the old counters.
    this.#active.delete(endpoint);
    this.#prefixes.reset(endpoint);
  }

  #activeOf(endpoint: Endpoint): ActiveBlocks {
    const active = this.#active.get(endpoint) ?? new ActiveBlocks();
    this.#active.set(endpoint, active);
    return active;
  }
}

/** Distinct blocks of the prompts in flight; bounded by the number of blocks of those prompts. */
class ActiveBlocks {
  readonly #uses = new Map<number, number>();

  /** Blocks if this prompt joined; its own unshared last block counts as one. */
  countWith({ hashes }: PromptBlocks): number {
    let own = 1;
    // Block ids are chained: after the first new block, all are new.
    for (let i = hashes.length - 1; i >= 0 && !this.#uses.has(hashes[i] as number); i--) own += 1;
    return this.#uses.size + own;
  }

  add({ hashes }: PromptBlocks): void {
    for (const hash of hashes) this.#uses.set(hash, (this.#uses.get(hash) ?? 0) + 1);
  }

  remove({ hashes }: PromptBlocks): void {
    for (const hash of hashes) {
      const uses = (this.#uses.get(hash) ?? 1) - 1;
      if (uses === 0) this.#uses.delete(hash);
      else this.#uses.set(hash, uses);
    }
  }
}
