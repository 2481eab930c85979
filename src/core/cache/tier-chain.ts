// Two tiers below memory as one: a value goes to both, and is read from the first one that has it.
import type { LowerTier, ReserveSpans, StoredValue, ValueSource } from './lower-tier.ts';
import type { ScanStep } from './scan-order.ts';

/** The near tier is asked first. */
export class TierChain implements LowerTier {
  readonly #near: LowerTier;
  readonly #far: LowerTier;

  constructor(near: LowerTier, far: LowerTier) {
    this.#near = near;
    this.#far = far;
  }

  find(key: string): StoredValue | undefined {
    return this.#near.find(key) ?? this.#far.find(key);
  }

  hold(value: StoredValue): void {
    this.#tierOf(value).hold(value);
  }

  follows(key: string, before: string): void {
    this.#near.follows?.(key, before);
    this.#far.follows?.(key, before);
  }

  keep(value: ValueSource): void {
    let users = 2;
    const release = () => {
      users--;
      if (users === 0) value.release();
    };
    this.#near.keep({ ...value, release });
    this.#far.keep({ ...value, release });
  }

  read(value: StoredValue, reserve: ReserveSpans): Promise<boolean> {
    return this.#tierOf(value).read(value, reserve);
  }

  corrupt(value: StoredValue): void {
    this.#tierOf(value).corrupt(value);
  }

  delete(key: string): boolean {
    const [near, far] = [this.#near.delete(key), this.#far.delete(key)];
    return near || far;
  }

  clear(): void {
    this.#near.clear();
    this.#far.clear();
  }

  /** A key may come twice: once from each tier. */
  scan(cursor: number, count: number): ScanStep {
    // Even cursors are places in the near tier, odd ones in the far tier.
    if (cursor % 2 === 0) {
      const { keys, next } = this.#near.scan(cursor / 2, count);
      return { keys, next: next === 0 ? 1 : 2 * next };
    }
    const { keys, next } = this.#far.scan((cursor - 1) / 2, count);
    return { keys, next: next === 0 ? 0 : 2 * next + 1 };
  }

  isFirst(key: string, cursor: number): boolean {
    return cursor % 2 === 0 || this.#near.find(key) === undefined;
  }

  *keys(): Iterable<string> {
    yield* this.#near.keys();
    for (const key of this.#far.keys()) if (this.#near.find(key) === undefined) yield key;
  }

  #tierOf(value: StoredValue): LowerTier {
    return this.#near.find(value.key) === value ? this.#near : this.#far;
  }
}
