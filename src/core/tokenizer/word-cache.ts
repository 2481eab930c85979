// Caches the tokens of words: words repeat in text, and a look-up costs a tenth of merging.

/**
 * A bounded cache with two generations: when the young one is full, it becomes the old one, and
 * entries of the old one that were not read meanwhile are dropped. A hit is cheaper than in a
 * strict LRU cache, which reorders its entries on each.
 */
export class WordCache<V> {
  readonly #generationMax: number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  /** @param wordsMax Maximum number of words. */
  constructor(wordsMax: number) {
    this.#generationMax = Math.ceil(wordsMax / 2);
  }

  get(word: string): V | undefined {
    const young = this.#young.get(word);
    if (young !== undefined) return young;
    const old = this.#old.get(word);
    if (old !== undefined) this.set(word, old);
    return old;
  }

  set(word: string, value: V): void {
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(word, value);
  }
}
