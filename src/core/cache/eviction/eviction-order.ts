// Which value goes first when a tier needs room. An order knows keys and sizes; whoever owns the values evicts them.

/** The keys of one tier. The caller adds each key once, and removes it before it adds it again. */
export interface EvictionOrder {
  add(key: string, bytes: number): void;
  /** A value was read, or a client was told that it exists. */
  use(key: string): void;
  /** @param isEvicted Whether it made room for others; false if it was deleted, replaced, or its time was over. */
  remove(key: string, isEvicted: boolean): void;
  /**
   * The values of two keys belong to one prompt, one chunk after the other; orders that do not use it ignore it. Neither
   * key has to be present.
   */
  follows(key: string, before: string): void;
  /**
   * All keys, the first one to evict first. The caller takes as many as it needs, evicts each by `remove`, or passes
   * over it because it is in use; meanwhile it changes nothing else.
   */
  candidates(): Iterable<string>;
}
