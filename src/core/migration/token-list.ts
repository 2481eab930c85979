// The token ids of a response, four bytes each.

const tokensAtFirst = 64;

export class TokenList {
  #ids = new Int32Array(tokensAtFirst);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Memory that the list holds. */
  get bytes(): number {
    return this.#ids.byteLength;
  }

  push(id: number): void {
    if (this.#length === this.#ids.length) {
      const larger = new Int32Array(this.#ids.length * 2);
      larger.set(this.#ids);
      this.#ids = larger;
    }
    this.#ids[this.#length++] = id;
  }

  /** Removes all tokens after the first `length`. */
  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  /** Undefined after the last one. */
  at(index: number): number | undefined {
    return index < this.#length ? this.#ids[index] : undefined;
  }

  /** How often each of the first ids occurs. */
  counts(length: number): ReadonlyMap<number, number> {
    const counts = new Map<number, number>();
    for (const id of this.#ids.subarray(0, Math.min(length, this.#length))) {
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    return counts;
  }

  /** @returns The first ids, as JSON writes them in an array, without its brackets. */
  first(length: number): string {
    return this.#ids.subarray(0, Math.min(length, this.#length)).join(',');
  }
}
