// Remembers the tokens of words: text repeats its words, and a look-up costs a tenth of merging.

/**
 * A bounded cache in two generations: when the young one is full it becomes the old one, and what
 * was in the old one and not asked for since is forgotten. Cheaper per hit than a strict LRU, which
 * rewrites its order on each.
 */
export class WordCache<V> {
  readonly #generationMax: number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  /** @param wordsMax The most words kept. */
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
