// Promises to clients that were told that a value exists: it stays until they have read it.

/** A client that was told that a value exists reads it within this time, or not at all. */
const existenceLeaseSeconds = 10;

/**
 * Values that are held for a time, in the order of their promises. Bounded by pages: a client that asks for
 * everything would otherwise leave no room for new values. The oldest promises are given up first.
 */
export class ExistenceLeases<T extends { readonly pages: readonly number[] }> {
  readonly #pagesMax: number;
  /** Until when; the order is that of the last promise. */
  readonly #held = new Map<T, number>();
  #pages = 0;

  constructor(pagesMax: number) {
    this.#pagesMax = pagesMax;
  }

  /**
   * Holds a value.
   *
   * @param fromSeconds Beginning of the promise. @default now
   */
  hold(value: T, nowSeconds: number, fromSeconds = nowSeconds): void {
    this.end(value);
    this.#held.set(value, fromSeconds + existenceLeaseSeconds);
    this.#pages += value.pages.length;
    for (const [oldest, until] of this.#held) {
      // One value is held whatever its size.
      if (oldest === value || (until > nowSeconds && this.#pages <= this.#pagesMax)) break;
      this.end(oldest);
    }
  }

  has(value: T, nowSeconds: number): boolean {
    return (this.#held.get(value) ?? Number.NEGATIVE_INFINITY) > nowSeconds;
  }

  end(value: T): void {
    if (this.#held.delete(value)) this.#pages -= value.pages.length;
  }
}
