// Prefix-cache hits of a trace without service times: the effect of caching and routing alone.
import type { TraceRequest } from '../traces/index.ts';
import { BlockCache } from './block-cache.ts';

/**
 * How a request is assigned to an engine. `roundrobin`: in turn. `prefix-load`: the largest (cached share
 * of the prompt's blocks - tokens computed there / most tokens computed by an engine), ties to the lowest
 * index.
 */
export const hitPolicies = ['roundrobin', 'prefix-load'] as const;
export type HitPolicy = (typeof hitPolicies)[number];

export interface PrefixHitOptions {
  readonly blockTokens: number;
  /** Capacity of each engine's cache, in blocks of the trace; Infinity for all. */
  readonly blocksMax: number;
  readonly engines: number;
  /** Default `roundrobin`. */
  readonly policy?: HitPolicy;
  /** A tier below: blocks per engine; each engine stores everything that it serves there. Default none. */
  readonly cpuBlocksMax?: number | undefined;
  /** One tier shared by all engines, as large as theirs together. @default false */
  readonly pooled?: boolean;
}

export interface PrefixHits {
  /** Cached blocks / blocks of all prompts. */
  readonly blockHit: number;
  /** Σ min(cached blocks · block size, prompt) / Σ prompt, in tokens. */
  readonly tokenHit: number;
  /** Part of `tokenHit` served by the engines' own caches, up to the first block that they lacked. */
  readonly deviceTokenHit: number;
  /** Largest number of tokens computed by an engine / their mean over engines. */
  readonly spread: number;
}

/**
 * Serves all requests in order of arrival, each engine with a separate LRU cache. With a tier below, a
 * hit continues through blocks of either; the policy sees only the engines' own caches.
 */
export function prefixHits(
  requests: readonly TraceRequest[],
  options: PrefixHitOptions,
): PrefixHits {
  const { blockTokens, blocksMax, engines, policy = 'roundrobin' } = options;
  const caches = Array.from({ length: engines }, () => new BlockCache(blocksMax));
  const tiers = tiersOf(options);
  const computed = caches.map(() => 0);
  let [blocks, hitBlocks, tokens, hitTokens, deviceTokens] = [0, 0, 0, 0, 0];
  for (const [index, { blockIds, promptTokens }] of requests.entries()) {
    const engine =
      policy === 'roundrobin' ? index % engines : bestMatch(caches, computed, blockIds);
    const cache = caches[engine] as BlockCache;
    const tier = tiers[engine];
    const own = cache.match(blockIds);
    const hit = tier ? matchBoth(cache, tier, blockIds, own) : own;
    cache.insert(blockIds);
    tier?.insert(blockIds);
    const cached = Math.min(hit * blockTokens, promptTokens);
    computed[engine] = (computed[engine] as number) + promptTokens - cached;
    blocks += blockIds.length;
    hitBlocks += hit;
    tokens += promptTokens;
    hitTokens += cached;
    deviceTokens += Math.min(own * blockTokens, promptTokens);
  }
  const total = tokens - hitTokens;
  return {
    blockHit: hitBlocks / blocks,
    tokenHit: hitTokens / tokens,
    deviceTokenHit: deviceTokens / tokens,
    spread: total === 0 ? 1 : Math.max(...computed) / (total / engines),
  };
}

/** By engine. */
function tiersOf({ engines, cpuBlocksMax = 0, pooled }: PrefixHitOptions): readonly BlockCache[] {
  if (cpuBlocksMax === 0) return [];
  const shared = new BlockCache(cpuBlocksMax * engines);
  return Array.from({ length: engines }, () => (pooled ? shared : new BlockCache(cpuBlocksMax)));
}

function matchBoth(
  cache: BlockCache,
  tier: BlockCache,
  blockIds: readonly number[],
  from: number,
): number {
  let hit = from;
  for (; hit < blockIds.length; hit++) {
    const id = blockIds[hit] as number;
    if (!tier.has(id) && !cache.has(id)) break;
  }
  return hit;
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
