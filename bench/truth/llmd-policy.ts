// The scorers of llm-d's tiered-prefix-cache guide, so that its experiment can be repeated with its own
// routing: active requests 2, KV utilization 2, prefix in the GPU's cache 1, prefix in host memory 1.
import { LruMap, type Random, randomInteger } from '../../src/core/base/index.ts';
import type { Endpoint, Pick, Policy, RoutingRequest } from '../../src/core/routing/index.ts';

interface Believed {
  /** By tier, the blocks that an engine is thought to hold: an LRU of what was sent there. */
  readonly tiers: readonly LruMap<number, true>[];
}

/**
 * Each score is in [0, 1]; the engine with the largest weighted sum takes the request, of equals one
 * by chance.
 *
 * @param options.tierBlocks Blocks of each tier that has a prefix scorer of weight 1.
 * @param options.blocksOf Block ids of a request's prompt: what the scorer's hashes would be.
 * @see https://github.com/llm-d/llm-d/blob/1acffdd2/guides/tiered-prefix-cache/cpu/manifests/inferencepool/values.yaml
 */
export function llmdPolicy(options: {
  readonly tierBlocks: readonly number[];
  readonly blocksOf: (request: RoutingRequest) => readonly number[];
  readonly random: Random;
}): Policy {
  const { tierBlocks, blocksOf, random } = options;
  const believed = new Map<string, Believed>();
  const of = (url: string): Believed => {
    const known = believed.get(url);
    if (known) return known;
    const tiers = tierBlocks.map((entriesMax) => new LruMap<number, true>({ entriesMax }));
    const made = { tiers };
    believed.set(url, made);
    return made;
  };
  return {
    name: 'llm-d',
    needsTokens: false,
    pick(request: RoutingRequest, endpoints: readonly Endpoint[]): Pick {
      const blocks = blocksOf(request);
      const busiest = Math.max(...endpoints.map(({ load }) => load.inflight));
      const scores = endpoints.map(({ url, load, reported }) => {
        const idle = busiest === 0 ? 1 : (busiest - load.inflight) / busiest;
        const free = 1 - (reported?.kvUsage ?? 0);
        const prefixes = of(url).tiers.map((tier) => matched(tier, blocks) / blocks.length);
        return 2 * idle + 2 * free + prefixes.reduce((sum, share) => sum + share, 0);
      });
      const best = Math.max(...scores);
      const equals = endpoints.filter((_, i) => scores[i] === best);
      const endpoint = equals[randomInteger(random, equals.length)] as Endpoint;
      for (const tier of of(endpoint.url).tiers) {
        for (let i = blocks.length - 1; i >= 0; i--) tier.set(blocks[i] as number, true);
      }
      return { endpoint, reason: `score ${best.toFixed(2)}`, cachedTokens: 0, scores };
    },
  };
}

function matched(tier: LruMap<number, true>, blocks: readonly number[]): number {
  const miss = blocks.findIndex((block) => !tier.has(block));
  return miss === -1 ? blocks.length : miss;
}
