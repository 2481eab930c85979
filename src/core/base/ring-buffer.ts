// A bounded queue that drops its oldest items.

/**
 * The last `itemsMax` items pushed, oldest first.
 *
 * @example
 * const buffer = new RingBuffer<number>({ itemsMax: 2 });
 * for (const n of [1, 2, 3]) buffer.push(n);
 * [...buffer]; // [2, 3]
 */
export class RingBuffer<T> {
  readonly itemsMax: number;
  readonly #slots: T[] = [];
  #oldest = 0;

  constructor(options: { itemsMax: number }) {
    if (!(options.itemsMax >= 1)) throw new RangeError('itemsMax must be at least 1');
    this.itemsMax = options.itemsMax;
  }

  get length(): number {
    return this.#slots.length;
  }

  push(item: T): void {
    if (this.#slots.length < this.itemsMax) {
      this.#slots.push(item);
      return;
    }
    this.#slots[this.#oldest] = item;
    this.#oldest = (this.#oldest + 1) % this.itemsMax;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let i = 0; i < this.#slots.length; i++) {
      yield this.#slots[(this.#oldest + i) % this.#slots.length] as T;
    }
  }
}
