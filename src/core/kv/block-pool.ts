// The physical KV blocks of one engine, in the order in which vLLM allocates and evicts them.
import type { BlockKey } from './block-key.ts';
import { CachedBlocks } from './cached-blocks.ts';

export interface BlockPoolOptions {
  /** Number of blocks including block 0, vLLM's null block, which is never allocated. At least 2. */
  readonly blocksTotal: number;
  /** Called when a cached free block is allocated again, or its key is dropped. */
  readonly onRemoved?: (key: BlockKey) => void;
  /** Observes blocks, to measure how long they live. */
  readonly observer?: BlockObserver | undefined;
}

/** The life of a block: it is allocated, found by other requests, and allocated anew. */
export interface BlockObserver {
  allocated(block: number): void;
  accessed(block: number): void;
  /** The block lost its content; also called for blocks without content. */
  evicted(block: number): void;
  reset(): void;
}

/**
 * vLLM's block pool: reference counts, the free list, and the cached blocks by key.
 *
 * A free block keeps its key until it is allocated again, so the free list is the eviction order:
 * allocation takes the head, freed blocks with a key join the tail, those without a key the head.
 * Two blocks may have the same key; vLLM does not merge them, and a lookup finds the older one.
 * Lists are intrusive on typed arrays, so no call but a cache insertion allocates memory.
 *
 * @see https://github.com/vllm-project/vllm/blob/main/vllm/v1/core/block_pool.py
 * @example
 * const pool = new BlockPool({ blocksTotal: 4 });
 * const block = pool.allocate(); // 1
 * pool.cache(block, 'a');
 * pool.release([block]);
 * pool.lookup('a'); // 1, until allocate() reaches it again
 */
export class BlockPool {
  readonly blocksTotal: number;
  readonly #onRemoved: ((key: BlockKey) => void) | undefined;
  readonly #observer: BlockObserver | undefined;
  /** Free list; slot 0 is its sentinel, as block 0 is never free. Circular. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #references: Int32Array;
  readonly #cached: CachedBlocks;
  #freeBlocks: number;
  #gains = 0;

  /** @throws {RangeError} If `blocksTotal` is not an integer of at least 2. */
  constructor({ blocksTotal, onRemoved, observer }: BlockPoolOptions) {
    if (!Number.isInteger(blocksTotal) || blocksTotal < 2) {
      throw new RangeError(`A block pool needs at least 2 blocks, got ${blocksTotal}`);
    }
    this.blocksTotal = blocksTotal;
    this.#onRemoved = onRemoved;
    this.#observer = observer;
    this.#next = new Int32Array(blocksTotal);
    this.#previous = new Int32Array(blocksTotal);
    this.#references = new Int32Array(blocksTotal);
    this.#cached = new CachedBlocks(blocksTotal);
    for (let block = 0; block < blocksTotal; block++) {
      this.#next[block] = (block + 1) % blocksTotal;
      this.#previous[block] = (block + blocksTotal - 1) % blocksTotal;
    }
    this.#freeBlocks = blocksTotal - 1;
  }

  /** Number of blocks without a holder; those with a key still serve hits. */
  get freeBlocks(): number {
    return this.#freeBlocks;
  }

  /** Number of blocks with a holder, without the null block. */
  get usedBlocks(): number {
    return this.blocksTotal - 1 - this.#freeBlocks;
  }

  /**
   * Increases whenever a block that some lookup finds may have come into use: since the count was n lower, at
   * most n more blocks of a sequence of keys can have come into use.
   */
  get gains(): number {
    return this.#gains;
  }

  /** The block with this key, the oldest if there are several; undefined if there is none. */
  lookup(key: BlockKey): number | undefined {
    return this.#cached.get(key);
  }

  /** Number of holders; 0 means that the block is in the free list. */
  references(block: number): number {
    return this.#references[block] as number;
  }

  /** The key under which the block is cached. */
  keyOf(block: number): BlockKey | undefined {
    return this.#cached.keyOf(block);
  }

  /** Adds a holder to a cached block; a free one leaves the free list. */
  acquire(block: number): void {
    const references = this.#references[block] as number;
    if (references === 0) this.#unlinkFree(block);
    this.#references[block] = references + 1;
    this.#gains++;
    this.#observer?.accessed(block);
  }

  /**
   * Allocates the block that is first in the order of eviction, and drops its key.
   *
   * @throws {RangeError} If no block is free; check `freeBlocks` first.
   */
  allocate(): number {
    const blocks: number[] = [];
    this.allocateTo(blocks, 1);
    return blocks[0] as number;
  }

  /**
   * Allocates this many blocks like `allocate`, and appends them.
   *
   * @throws {RangeError} If fewer are free; then none is taken.
   */
  allocateTo(blocks: number[], count: number): void {
    if (count > this.#freeBlocks) throw new RangeError('No free KV block');
    const next = this.#next;
    const references = this.#references;
    const observer = this.#observer;
    let block = 0;
    let place = blocks.length;
    // Makes room once: a prompt takes hundreds of blocks, and a list that grows by itself is copied again and again.
    blocks.length += count;
    // The list is relinked after the loop, not for each block: prompts take thousands of blocks, and
    // taking them one by one was 19 % of a simulation's time.
    for (let i = 0; i < count; i++) {
      block = next[block] as number;
      observer?.evicted(block);
      if (this.#cached.has(block)) this.#uncache(block);
      references[block] = 1;
      observer?.allocated(block);
      blocks[place++] = block;
    }
    const head = next[block] as number;
    next[0] = head;
    this.#previous[head] = 0;
    this.#freeBlocks -= count;
  }

  /** Makes a held, full block findable under `key`. */
  cache(block: number, key: BlockKey): void {
    this.#cached.add(key, block);
    this.#gains++;
  }

  /**
   * Removes one holder from each block, last block first, so that the tail of a sequence is evicted before its
   * head. Blocks without a holder and a key go to the head of the free list in that order, those with a key
   * to its tail.
   */
  release(blocks: readonly number[]): void {
    let head = 0;
    for (let i = blocks.length - 1; i >= 0; i--) {
      const block = blocks[i] as number;
      const references = (this.#references[block] as number) - 1;
      if (references < 0) throw new RangeError(`KV block ${block} has no holder to release`);
      this.#references[block] = references;
      if (references > 0) continue;
      if (this.#cached.has(block)) this.#linkFree(block, this.#previous[0] as number);
      else {
        this.#linkFree(block, head);
        head = block;
      }
    }
  }

  /** Drops every key. Does nothing and returns false while any block has a holder. */
  reset(): boolean {
    if (this.usedBlocks > 0) return false;
    this.#cached.clear();
    this.#observer?.reset();
    return true;
  }

  /** The free list from its head, in the order of eviction. For tests and inspection. */
  freeOrder(): number[] {
    const order: number[] = [];
    for (let block = this.#next[0] as number; block !== 0; block = this.#next[block] as number) {
      order.push(block);
    }
    return order;
  }

  #unlinkFree(block: number): void {
    const next = this.#next[block] as number;
    const previous = this.#previous[block] as number;
    this.#next[previous] = next;
    this.#previous[next] = previous;
    this.#freeBlocks--;
  }

  #linkFree(block: number, after: number): void {
    const next = this.#next[after] as number;
    this.#next[after] = block;
    this.#previous[block] = after;
    this.#next[block] = next;
    this.#previous[next] = block;
    this.#freeBlocks++;
  }

  #uncache(block: number): void {
    const onRemoved = this.#onRemoved;
    const key = onRemoved && this.#cached.keyOf(block);
    // The other block with this key may be in use.
    if (this.#cached.delete(block)) this.#gains++;
    if (key !== undefined) onRemoved?.(key);
  }
}
