// Allocates blocks to sequences: prefix lookup, admission, allocation, and freeing.
import { type BlockKey, BlockPool } from '../kv/index.ts';
import type { EngineConfig } from './config.ts';
import type { EngineListener } from './contract.ts';
import { RecomputedTokens } from './recomputed-tokens.ts';
import type { Sequence } from './sequence.ts';

const none: readonly number[] = [];

/**
 * vLLM's KV cache manager for one full-attention group. `externalTokens` are those that a tier below
 * offers after the local hit.
 *
 * @see https://github.com/vllm-project/vllm/blob/main/vllm/v1/core/kv_cache_manager.py
 */
export class KvCache {
  readonly pool: BlockPool;
  readonly recomputed: RecomputedTokens;
  readonly #config: EngineConfig;
  readonly #listener: EngineListener;
  readonly #watermarkBlocks: number;
  /** Blocks found by the last `lookup`; one shared array, because a step makes many lookups. */
  readonly #hits: number[] = [];
  /** The last sequence that did not fit, with the blocks it lacked then. */
  #refused: { sequence: Sequence; needed: number; gains: number } | undefined;

  #allocated: number[] | undefined;

  /**
   * @param options.keepAllocated Whether `takeAllocated` will be called after each step.
   * @param options.countsEvicted Whether tokens are counted that are computed again after an eviction.
   */
  constructor(
    config: EngineConfig,
    listener: EngineListener,
    {
      keepAllocated = false,
      countsEvicted = false,
    }: {
      readonly keepAllocated?: boolean | undefined;
      readonly countsEvicted?: boolean | undefined;
    } = {},
  ) {
    this.#config = config;
    this.#allocated = keepAllocated ? [] : undefined;
    this.#listener = listener;
    this.#watermarkBlocks = Math.floor(config.watermark * config.numGpuBlocks);
    this.recomputed = new RecomputedTokens(config);
    const { blockRemoved } = listener;
    const onRemoved = countsEvicted
      ? (key: BlockKey) => {
          this.recomputed.evicted(key);
          listener.blockRemoved?.(key);
        }
      : blockRemoved && ((key: BlockKey) => listener.blockRemoved?.(key));
    this.pool = new BlockPool({
      blocksTotal: config.numGpuBlocks,
      ...(onRemoved && { onRemoved }),
      observer: listener.blocks,
    });
  }

  /**
   * Tokens of a sequence without blocks that the cache holds. The last token is always computed again,
   * for its logits, and so is the whole last block of a fully cached, aligned prompt.
   */
  lookup(sequence: Sequence): number {
    const hits = this.#hits;
    hits.length = 0;
    if (!this.#config.enablePrefixCaching) return 0;
    const blocksMax = Math.floor((sequence.knownTokens - 1) / this.#config.blockSize);
    for (let index = 0; index < blocksMax; index++) {
      const block = this.pool.lookup(sequence.blockKey(index));
      if (block === undefined) break;
      hits.push(block);
    }
    return hits.length * this.#config.blockSize;
  }

  /**
   * Whether a sequence that was just refused cannot fit yet, whatever a lookup would find. Avoids the
   * lookup while a long prompt waits at the head of the queue.
   */
  isStillRefused(sequence: Sequence): boolean {
    const refused = this.#refused;
    // Without the reserve, the number of blocks needed depends on the step's budget.
    if (refused?.sequence !== sequence || !this.#config.schedulerReserveFullIsl) return false;
    return refused.needed - (this.pool.gains - refused.gains) > this.pool.freeBlocks;
  }

  /**
   * Gives a waiting sequence the blocks of the last `lookup` and those for `newTokens` more.
   *
   * @param somethingRuns Whether the watermark applies.
   * @param externalTokens Tokens after the hit that a tier fills in while the step runs.
   * @returns False, changing nothing, if there are not enough blocks.
   */
  admit(
    sequence: Sequence,
    newTokens: number,
    somethingRuns: boolean,
    externalTokens = 0,
  ): boolean {
    if (!this.#fits(sequence, newTokens + externalTokens, somethingRuns)) return false;
    this.#takeHits(sequence);
    sequence.computedTokens += externalTokens;
    return this.extend(sequence, newTokens);
  }

  /**
   * Gives a waiting sequence the blocks of the last `lookup` and those that a tier is to fill, which no
   * lookup finds until `loaded`.
   *
   * @param reservedBlocks Free blocks that requests in progress still need.
   * @returns False, changing nothing, if there are not enough blocks.
   */
  hold(
    sequence: Sequence,
    externalTokens: number,
    somethingRuns: boolean,
    reservedBlocks: number,
  ): boolean {
    if (!this.#fits(sequence, externalTokens, somethingRuns)) return false;
    const headroom = somethingRuns ? this.#watermarkBlocks : 0;
    const count = Math.ceil(externalTokens / this.#config.blockSize);
    const needed = count + this.#idleHits() + headroom;
    if (needed > this.pool.freeBlocks - reservedBlocks) return false;
    this.#takeHits(sequence);
    sequence.computedTokens += externalTokens;
    this.#allocate(sequence, count);
    return true;
  }

  /** The blocks of `hold` are filled: makes them findable. The last known token is computed in any case. */
  loaded(sequence: Sequence): void {
    if (this.#config.enablePrefixCaching) {
      this.#cacheFullBlocks(sequence, Math.floor(sequence.computedTokens / this.#config.blockSize));
    }
    sequence.computedTokens = Math.min(sequence.computedTokens, sequence.knownTokens - 1);
  }

  /** The blocks of `hold` stay empty: their tokens have to be computed. */
  notLoaded(sequence: Sequence): void {
    sequence.computedTokens = sequence.cachedBlocks * this.#config.blockSize;
    sequence.foundTokens = sequence.computedTokens;
    if (sequence.hasRun) return;
    sequence.cachedTokens = sequence.computedTokens;
    sequence.externalTokens = 0;
  }

  /** Whether a loaded sequence fits with `newTokens` more; if so, allocates their blocks. */
  admitLoaded(sequence: Sequence, newTokens: number, somethingRuns: boolean): boolean {
    const { blockSize, schedulerReserveFullIsl } = this.#config;
    const headroom = somethingRuns ? this.#watermarkBlocks : 0;
    const tokens = schedulerReserveFullIsl
      ? sequence.knownTokens
      : sequence.computedTokens + newTokens;
    const needed = Math.max(0, Math.ceil(tokens / blockSize) - sequence.blocks.length);
    if (needed + headroom > this.pool.freeBlocks) return false;
    return this.extend(sequence, newTokens);
  }

  /** Number of blocks that a sequence lacks for its known tokens. */
  lackingBlocks({ knownTokens, blocks }: Sequence): number {
    return Math.max(0, Math.ceil(knownTokens / this.#config.blockSize) - blocks.length);
  }

  /** GPU blocks allocated since the last call; recorded only if requested at construction. */
  takeAllocated(): readonly number[] {
    const allocated = this.#allocated;
    if (allocated === undefined || allocated.length === 0) return none;
    this.#allocated = [];
    return allocated;
  }

  /**
   * Gives a sequence the blocks for `newTokens` after its computed ones, and makes those that
   * become full findable.
   *
   * @returns False, changing nothing, if there are not enough blocks.
   */
  extend(sequence: Sequence, newTokens: number): boolean {
    const { blockSize, enablePrefixCaching } = this.#config;
    const tokens = sequence.computedTokens + newTokens;
    // Most decodes stay within their last block: nothing to allocate, no block becomes full.
    const lastBlockEnd = sequence.blocks.length * blockSize;
    if (tokens < lastBlockEnd && tokens < (sequence.cachedBlocks + 1) * blockSize) return true;
    const needed = Math.ceil(tokens / blockSize) - sequence.blocks.length;
    if (needed > this.pool.freeBlocks) return false;
    if (needed > 0) this.#allocate(sequence, needed);
    if (enablePrefixCaching) this.#cacheFullBlocks(sequence, Math.floor(tokens / blockSize));
    return true;
  }

  /**
   * Tokens that a sequence can compute after its computed ones without allocating a block, and without
   * filling one while others follow or a listener is attached. Then `runEnded` is due.
   */
  freeTokens({ blocks, cachedBlocks, computedTokens }: Sequence): number {
    const { blockSize, enablePrefixCaching } = this.#config;
    const held = blocks.length * blockSize;
    if (!enablePrefixCaching) return Math.max(0, held - computedTokens);
    const filled = Math.min(held, (cachedBlocks + 1) * blockSize);
    const last = this.#listener.blocksStored === undefined ? filled : filled - 1;
    return Math.max(0, last - computedTokens);
  }

  /** Makes a block findable that the last of several steps has filled. */
  runEnded(sequence: Sequence): void {
    const { blockSize, enablePrefixCaching } = this.#config;
    if (!enablePrefixCaching) return;
    this.#cacheFullBlocks(sequence, Math.floor(sequence.computedTokens / blockSize));
  }

  /** Releases all blocks of a sequence; their contents stay findable until reused. */
  free(sequence: Sequence): void {
    this.pool.release(sequence.blocks);
    sequence.blocks.length = 0;
    sequence.cachedBlocks = 0;
    sequence.computedTokens = 0;
  }

  /** @throws {Error} If references and holders differ, a block is lost, or a cached refusal is stale. */
  audit(holders: Iterable<Sequence>): void {
    const held = new Map<number, number>();
    for (const { request, blocks, cachedBlocks, computedTokens } of holders) {
      if (cachedBlocks > blocks.length || blocks.length * this.#config.blockSize < computedTokens) {
        throw new Error(`${request.id} has computed ${computedTokens} tokens in too few blocks`);
      }
      for (const block of blocks) held.set(block, (held.get(block) ?? 0) + 1);
    }
    for (let block = 1; block < this.pool.blocksTotal; block++) {
      const references = this.pool.references(block);
      if (references !== (held.get(block) ?? 0)) {
        throw new Error(
          `KV block ${block} has ${references} references, ${held.get(block)} holders`,
        );
      }
    }
    const refused = this.#refused;
    if (refused && this.isStillRefused(refused.sequence)) {
      this.lookup(refused.sequence);
      if (this.#blocksNeeded(refused.sequence, 0) <= this.pool.freeBlocks) {
        throw new Error(`${refused.sequence.request.id} is refused, though it fits`);
      }
    }
    const free = this.pool.freeOrder();
    if (free.some((block) => held.has(block)) || new Set(free).size !== this.pool.freeBlocks) {
      throw new Error('the free list holds a block twice, or one in use');
    }
    if (held.size !== this.pool.usedBlocks) throw new Error('free and used blocks do not add up');
  }

  /** Free blocks that a sequence allocates at admission, after its `lookup`. */
  #blocksNeeded(sequence: Sequence, newTokens: number): number {
    const { blockSize, schedulerReserveFullIsl } = this.#config;
    const hits = this.#hits;
    const tokens = schedulerReserveFullIsl
      ? sequence.knownTokens
      : hits.length * blockSize + newTokens;
    return Math.ceil(tokens / blockSize) - hits.length + this.#idleHits();
  }

  /** Hits that no request holds: they leave the free list, so they also count as needed. */
  #idleHits(): number {
    let idle = 0;
    for (const block of this.#hits) if (this.pool.references(block) === 0) idle++;
    return idle;
  }

  /** Whether the sequence can be admitted; remembers one that cannot. */
  #fits(sequence: Sequence, newTokens: number, somethingRuns: boolean): boolean {
    const needed = this.#blocksNeeded(sequence, newTokens);
    const headroom = somethingRuns ? this.#watermarkBlocks : 0;
    this.#refused = undefined;
    if (needed + headroom <= this.pool.freeBlocks) return true;
    this.#refused = { sequence, needed, gains: this.pool.gains };
    return false;
  }

  #takeHits(sequence: Sequence): void {
    const hits = this.#hits;
    for (const block of hits) {
      this.pool.acquire(block);
      sequence.blocks.push(block);
    }
    sequence.cachedBlocks = hits.length;
    sequence.computedTokens = hits.length * this.#config.blockSize;
  }

  #allocate({ blocks }: Sequence, count: number): void {
    const first = blocks.length;
    this.pool.allocateTo(blocks, count);
    if (this.#allocated === undefined) return;
    for (let i = first; i < blocks.length; i++) this.#allocated.push(blocks[i] as number);
  }

  #cacheFullBlocks(sequence: Sequence, fullBlocks: number): void {
    const first = sequence.cachedBlocks;
    if (fullBlocks <= first) return;
    for (let index = first; index < fullBlocks; index++) {
      this.pool.cache(sequence.blocks[index] as number, sequence.blockKey(index));
    }
    sequence.cachedBlocks = fullBlocks;
    this.#listener.blocksStored?.(sequence.request, first, fullBlocks - first);
  }
}
