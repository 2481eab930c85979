// Which value goes first when a tier needs room. An order knows keys and sizes; whoever owns the values evicts them.

/** The keys of one tier. The caller adds each key once, and removes it before it adds it again. */
export interface EvictionOrder<Key = string> {
  add(key: Key, bytes: number): void;
  /** A value was read, or a client was told that it exists. */
  use(key: Key): void;
  /** @param isEvicted Whether it made room for others; false if it was deleted, replaced, or its time was over. */
  remove(key: Key, isEvicted: boolean): void;
  /**
   * Two values belong to one prompt, one chunk after the other; orders that do not use it ignore it. Neither has to be
   * present.
   *
   * @param isCertain False if it was concluded from what a client did: it counts when it is said again.
   */
  follows(key: Key, before: Key, isCertain: boolean): void;
  /**
   * All keys, the first one to evict first. The caller takes as many as it needs, evicts each by `remove`, or passes
   * over it because it is in use; meanwhile it changes nothing else.
   */
  candidates(): Iterable<Key>;
}
