// A priority queue: smallest rank first, equal ranks in the order added.

/** Its size is bounded by its owner. */
export class MinHeap<T> {
  readonly #items: { readonly rank: number; readonly order: number; readonly item: T }[] = [];
  #added = 0;

  get size(): number {
    return this.#items.length;
  }

  /** The item that `take` would remove; undefined if empty. */
  get least(): T | undefined {
    return this.#items[0]?.item;
  }

  /** The smallest rank; Infinity if empty. */
  get leastRank(): number {
    return this.#items[0]?.rank ?? Number.POSITIVE_INFINITY;
  }

  add(rank: number, item: T): void {
    const items = this.#items;
    const entry = { rank, order: this.#added++, item };
    let at = items.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(entry, items[parent] as typeof entry)) break;
      items[at] = items[parent] as typeof entry;
      at = parent;
    }
    items[at] = entry;
  }

  /** Removes and returns the first item; undefined if empty. */
  take(): T | undefined {
    const items = this.#items;
    const least = items[0];
    const last = items.pop();
    if (least === undefined || last === undefined || items.length === 0) return least?.item;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      const right = items[child + 1];
      if (right !== undefined && before(right, items[child] as typeof last)) child++;
      if (!before(items[child] as typeof last, last)) break;
      items[at] = items[child] as typeof last;
      at = child;
    }
    items[at] = last;
    return least.item;
  }
}

interface Ranked {
  readonly rank: number;
  readonly order: number;
}

function before(a: Ranked, b: Ranked): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.order < b.order);
}
