// Prefix-aware: chunks of a prompt are used from its beginning, so that the last one goes first, and one whose predecessor is
// gone goes before all others. Among those, the one goes whose bytes buy the least recomputation, and which was not used
// for long: GreedyDual-Size (Cao and Irani, USITS 1997).
import { LruMap, MinHeap } from '../base/index.ts';
import type { EvictionOrder } from './eviction-order.ts';

/**
 * Chunks before one that make it twice as expensive to compute as the first: attention takes as many operations as the
 * weights at 27,000 tokens of an 8B model with 36 layers of width 4,096, 106 chunks of 256 tokens.
 */
const chunksOfDoubleCost = 106;
/** Longest chain of chunks; links beyond it are ignored. 4,096 chunks have a million tokens. */
const chainMax = 4_096;
/** Keys without a value whose predecessors are known. */
const linksMax = 65_536;

interface Item<Key> {
  readonly key: Key;
  readonly bytes: number;
  /** Its predecessor; undefined if none is certain. */
  before: Key | undefined;
  /** Chunks before it. */
  depth: number;
  /** Whether its predecessor, or one before that, is gone. */
  isOrphan: boolean;
  rank: number;
  /** Changes with the rank, so that older places in the heap do not count. */
  version: number;
}

/** What is known of the predecessor of a key: seen once, certain, or contradicted, which makes the key a beginning. */
interface Link<Key> {
  readonly before: Key;
  readonly state: 'seen' | 'certain' | 'none';
}

export class PrefixOrder<Key = string> implements EvictionOrder<Key> {
  readonly #items = new Map<Key, Item<Key>>();
  readonly #links = new LruMap<Key, Link<Key>>({ entriesMax: linksMax });
  /** Values by their predecessor, whether that has a value or not. */
  readonly #after = new Map<Key, Set<Key>>();
  /** Values without successors, by rank. */
  #heap = new MinHeap<{ readonly item: Item<Key>; readonly version: number }>();
  /** Rank of the last one evicted: what is used now ranks above it. */
  #floor = 0;

  add(key: Key, bytes: number): void {
    const item: Item<Key> = {
      ...{ key, bytes, before: undefined, depth: 0, isOrphan: false, rank: 0, version: 0 },
    };
    this.#items.set(key, item);
    const link = this.#links.get(key);
    if (link?.state === 'certain') this.#attach(item, link.before);
    this.#rank(item);
    this.#settle(item);
  }

  use(key: Key): void {
    const item = this.#items.get(key);
    if (item !== undefined) this.#rank(item);
  }

  remove(key: Key, isEvicted: boolean): void {
    const item = this.#items.get(key);
    if (item === undefined) return;
    if (isEvicted && item.rank > this.#floor) this.#floor = item.rank;
    this.#items.delete(key);
    this.#detach(item);
    for (const child of this.#after.get(key) ?? [])
      this.#settle(this.#items.get(child) as Item<Key>);
  }

  follows(key: Key, before: Key, isCertain: boolean): void {
    if (key === before) return;
    const known = this.#links.get(key);
    if (known?.state === 'none') return;
    const isSame = known?.before === before;
    if (isSame && known.state === 'certain') return;
    // A chunk's hash contains its prefix, so that it has one predecessor, or it is a beginning.
    const state = isCertain || isSame ? 'certain' : known === undefined ? 'seen' : 'none';
    this.#links.set(key, { before, state });
    const item = this.#items.get(key);
    if (item === undefined || state === 'seen') return;
    if (state === 'none' && item.before === undefined) return;
    this.#detach(item);
    if (state === 'certain') this.#attach(item, before);
    this.#settle(item);
  }

  *candidates(): Iterable<Key> {
    const passed = new Set<Item<Key>>();
    try {
      while (this.#heap.size > 0) {
        const { item, version } = this.#heap.take() as { item: Item<Key>; version: number };
        if (item.version !== version || !this.#isLast(item) || passed.has(item)) continue;
        yield item.key;
        if (this.#items.get(item.key) === item) passed.add(item);
      }
      // All last ones are in use.
      for (const item of this.#items.values()) if (!passed.has(item)) yield item.key;
    } finally {
      for (const item of passed) this.#push(item);
    }
  }

  /** Whether it has a value and none of its successors has. */
  #isLast(item: Item<Key>): boolean {
    return this.#items.get(item.key) === item && !this.#after.has(item.key);
  }

  #rank(item: Item<Key>): void {
    item.rank = this.#floor + (1 + item.depth / chunksOfDoubleCost) / Math.max(1, item.bytes);
    this.#push(item);
  }

  /** @param before Ignored if the chain would be a circle, or too long. */
  #attach(item: Item<Key>, before: Key): void {
    let above = this.#items.get(before);
    for (let steps = 0; above !== undefined; steps++) {
      if (above === item || steps >= chainMax) return;
      above = above.before === undefined ? undefined : this.#items.get(above.before);
    }
    item.before = before;
    const siblings = this.#after.get(before);
    if (siblings === undefined) this.#after.set(before, new Set([item.key]));
    else siblings.add(item.key);
  }

  #detach({ key, before }: Item<Key>): void {
    if (before === undefined) return;
    const item = this.#items.get(key);
    if (item !== undefined) item.before = undefined;
    const siblings = this.#after.get(before);
    siblings?.delete(key);
    if (siblings?.size !== 0) return;
    this.#after.delete(before);
    const last = this.#items.get(before);
    if (last !== undefined) this.#push(last);
  }

  /** Finds out for a value and all of its successors whether the chain before them is whole. */
  #settle(first: Item<Key>): void {
    for (const queue = [first]; queue.length > 0; ) {
      const item = queue.pop() as Item<Key>;
      const above = item.before === undefined ? undefined : this.#items.get(item.before);
      const isOrphan = item.before !== undefined && (above === undefined || above.isOrphan);
      const depth = above === undefined ? item.depth : above.depth + 1;
      const isChanged = isOrphan !== item.isOrphan || depth !== item.depth;
      item.isOrphan = isOrphan;
      item.depth = depth;
      this.#push(item);
      if (!isChanged && item !== first) continue;
      for (const key of this.#after.get(item.key) ?? []) {
        const child = this.#items.get(key);
        if (child !== undefined) queue.push(child);
      }
    }
  }

  #push(item: Item<Key>): void {
    item.version++;
    if (this.#after.has(item.key)) return;
    this.#heap.add(item.isOrphan ? Number.NEGATIVE_INFINITY : item.rank, {
      item,
      version: item.version,
    });
    if (this.#heap.size > 4 * this.#items.size + 1024) this.#rebuild();
  }

  /** Drops the places in the heap that no longer count. */
  #rebuild(): void {
    this.#heap = new MinHeap();
    for (const item of this.#items.values()) this.#push(item);
  }
}
