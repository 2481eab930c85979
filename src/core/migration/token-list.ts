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

  /** The ids as JSON writes them in an array, without its brackets. */
  toString(): string {
    return this.#ids.subarray(0, this.#length).join(',');
  }
}
