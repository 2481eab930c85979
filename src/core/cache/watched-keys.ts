// Keys whose values clients rely on until they execute a transaction: each change, by whomever, is remembered for them.

/** Bytes of all that is watched; beyond it, nothing more is. */
const bytesMax = 64 << 20;
/** What a watch takes in memory beside its key. */
const watchBytes = 256;

/** One client's watch of one key. */
export interface Watch {
  readonly key: string;
  isChanged: boolean;
}

export class WatchedKeys {
  readonly #watches = new Map<string, Set<Watch>>();
  #bytes = 0;

  get size(): number {
    return this.#watches.size;
  }

  /** Keys that are watched, each once. */
  keys(): Iterable<string> {
    return this.#watches.keys();
  }

  /** @returns Undefined if too much is watched already. */
  add(key: string): Watch | undefined {
    const bytes = watchBytes + key.length;
    if (this.#bytes + bytes > bytesMax) return undefined;
    this.#bytes += bytes;
    const watch: Watch = { key, isChanged: false };
    const others = this.#watches.get(key);
    if (others === undefined) this.#watches.set(key, new Set([watch]));
    else others.add(watch);
    return watch;
  }

  remove(watch: Watch): void {
    const { key } = watch;
    const watches = this.#watches.get(key);
    if (watches?.delete(watch) !== true) return;
    this.#bytes -= watchBytes + key.length;
    if (watches.size === 0) this.#watches.delete(key);
  }

  /** A value was stored, deleted, or got another time of expiry. */
  changed(key: string): void {
    if (this.#watches.size === 0) return;
    for (const watch of this.#watches.get(key) ?? []) watch.isChanged = true;
  }
}
