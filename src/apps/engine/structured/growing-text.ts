// A text that is written as far as somebody reads it.

/** Joins pieces on demand, and remembers them: several readers share one text. */
export class GrowingText {
  readonly #pieces: Iterator<string>;
  #text = '';
  #isWhole = false;

  constructor(pieces: Iterable<string>) {
    this.#pieces = pieces[Symbol.iterator]();
  }

  /** Like `slice` of a string: shorter than `end - start` only at the end of the text. */
  slice(start: number, end: number): string {
    while (this.#text.length < end && !this.#isWhole) {
      const { value, done } = this.#pieces.next();
      if (done === true) this.#isWhole = true;
      else this.#text += value;
    }
    return this.#text.slice(start, end);
  }

  /** The whole text. Read it only where the text is known to end soon: when all of it has been sent. */
  whole(): string {
    return this.slice(0, Number.POSITIVE_INFINITY);
  }
}
