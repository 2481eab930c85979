// The scorers of llm-d's tiered-prefix-cache guide as they were in its experiment's release, so that it
// can be repeated with its own routing.
import { LruMap, type Random, randomInteger } from '../../src/core/base/index.ts';
import type { Endpoint, Pick, Policy, RoutingRequest } from '../../src/core/routing/index.ts';

/** Weight of a prefix scorer, and the hashes that it remembers per engine. */
interface PrefixScorer {
  readonly weight: number;
  readonly hashesMax: number;
}

export interface LlmdWeights {
  /** Fewest waiting requests: 1, most: 0. */
  readonly queue: number;
  /** Share of the KV cache that is free. */
  readonly kvCache: number;
  readonly prefixes: readonly PrefixScorer[];
}

/** The prefix scorer hashes the text of a prompt in blocks of 64 bytes, 256 at most. */
const [hashBytes, hashesOfPrompt] = [64, 256];

/**
 * Each score is in [0, 1]; the engine with the largest weighted sum takes the request, of equals one
 * by chance. Since the prefix scorers see the first 16 KiB of a prompt and count their capacity in
 * hashes, they take an engine to hold many more long prompts than it does.
 *
 * @param options.blocksOf Block ids of a request's prompt: what the scorer's hashes would be.
 * @param options.bytesPerBlock Text behind one of them.
 * @see https://github.com/kubernetes-sigs/gateway-api-inference-extension/tree/v1.2.0-rc.1/pkg/epp/scheduling/framework/plugins
 *   scorer/queue.go, scorer/kvcache_utilization.go, multi/prefix/plugin.go, picker/max_score_picker.go
 */
export function llmdPolicy(options: {
  readonly weights: LlmdWeights;
  readonly blocksOf: (request: RoutingRequest) => readonly number[];
  readonly bytesPerBlock: number;
  readonly random: Random;
}): Policy {
  const { weights, blocksOf, bytesPerBlock, random } = options;
  const hashesPerBlock = bytesPerBlock / hashBytes;
  const blocksMax = Math.floor(hashesOfPrompt / hashesPerBlock);
  const believed = new Map<string, readonly LruMap<number, true>[]>();
  const of = (url: string): readonly LruMap<number, true>[] => {
    const known = believed.get(url);
    if (known) return known;
    const made = weights.prefixes.map(({ hashesMax }) => {
      return new LruMap<number, true>({ entriesMax: Math.floor(hashesMax / hashesPerBlock) });
    });
    believed.set(url, made);
    return made;
  };
  return {
    name: 'llm-d',
    needsTokens: false,
    pick(request: RoutingRequest, endpoints: readonly Endpoint[]): Pick {
      const blocks = blocksOf(request).slice(0, blocksMax);
      const waiting = endpoints.map(({ reported }) => reported?.waiting ?? 0);
      const [shortest, longest] = [Math.min(...waiting), Math.max(...waiting)];
      const scores = endpoints.map(({ url, reported }, i) => {
        const span = longest - shortest;
        const queue = span === 0 ? 1 : (longest - (waiting[i] as number)) / span;
        const free = 1 - (reported?.kvUsage ?? 0);
        const prefix = weights.prefixes.reduce((sum, { weight }, tier) => {
          const held = of(url)[tier] as LruMap<number, true>;
          return sum + (weight * matched(held, blocks)) / blocks.length;
        }, 0);
        return weights.queue * queue + weights.kvCache * free + prefix;
      });
      const best = Math.max(...scores);
      const equals = endpoints.filter((_, i) => scores[i] === best);
      const endpoint = equals[randomInteger(random, equals.length)] as Endpoint;
      for (const held of of(endpoint.url)) for (const block of blocks) held.set(block, true);
      return { endpoint, reason: `score ${best.toFixed(2)}`, cachedTokens: 0, scores };
    },
  };
}

function matched(held: LruMap<number, true>, blocks: readonly number[]): number {
  const miss = blocks.findIndex((block) => !held.has(block));
  return miss === -1 ? blocks.length : miss;
}
