// Prefix-cache hits of a trace without any service time: what caching and routing alone give.
import type { TraceRequest } from '../workload/index.ts';
import { BlockCache } from './block-cache.ts';

/**
 * How a request finds its engine. `roundrobin`: in turn. `prefix-load`: the largest
 * (cached share of the prompt's blocks - tokens computed there / most tokens computed by an
 * engine), ties to the lowest index.
 */
export const hitPolicies = ['roundrobin', 'prefix-load'] as const;
export type HitPolicy = (typeof hitPolicies)[number];

export interface PrefixHitOptions {
  readonly blockTokens: number;
  /** Capacity of each engine's cache, in blocks of the trace; Infinity for all. */
  readonly blocksMax: number;
  readonly engines: number;
  /** `roundrobin` unless given. */
  readonly policy?: HitPolicy;
}

export interface PrefixHits {
  /** Cached blocks / blocks of all prompts. */
  readonly blockHit: number;
  /** Σ min(cached blocks · block size, prompt) / Σ prompt, in tokens. */
  readonly tokenHit: number;
  /** Most tokens computed by an engine / their mean over engines. */
  readonly spread: number;
}

/** Serves all requests in order of arrival, each engine with an LRU cache of its own. */
export function prefixHits(
  requests: readonly TraceRequest[],
  { blockTokens, blocksMax, engines, policy = 'roundrobin' }: PrefixHitOptions,
): PrefixHits {
  const caches = Array.from({ length: engines }, () => new BlockCache(blocksMax));
  const computed = caches.map(() => 0);
  let [blocks, hitBlocks, tokens, hitTokens] = [0, 0, 0, 0];
  for (const [index, { blockIds, promptTokens }] of requests.entries()) {
    const engine =
      policy === 'roundrobin' ? index % engines : bestMatch(caches, computed, blockIds);
    const hit = (caches[engine] as BlockCache).serve(blockIds);
    const cached = Math.min(hit * blockTokens, promptTokens);
    computed[engine] = (computed[engine] as number) + promptTokens - cached;
    blocks += blockIds.length;
    hitBlocks += hit;
    tokens += promptTokens;
    hitTokens += cached;
  }
  const total = tokens - hitTokens;
  return {
    blockHit: hitBlocks / blocks,
    tokenHit: hitTokens / tokens,
    spread: total === 0 ? 1 : Math.max(...computed) / (total / engines),
  };
}

function bestMatch(
  caches: readonly BlockCache[],
  computed: readonly number[],
  blockIds: readonly number[],
): number {
  const most = Math.max(1, ...computed);
  let [best, bestScore] = [0, Number.NEGATIVE_INFINITY];
  for (const [engine, cache] of caches.entries()) {
    const score = cache.match(blockIds) / blockIds.length - (computed[engine] as number) / most;
    if (score > bestScore) [best, bestScore] = [engine, score];
  }
  return best;
}
