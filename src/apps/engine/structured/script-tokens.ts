// The tokens of a prescribed text, encoded as far as the response gets.
import type { GrowingText } from './growing-text.ts';

/** Characters that are encoded at once: half a millisecond. A shorter text is encoded whole, as a model reads it. */
const pieceCharacters = 4096;

/** The tokens of a text, as many as are asked for; several choices share them. */
export class ScriptTokens {
  readonly #text: GrowingText;
  readonly #encode: (text: string, isFirst: boolean) => readonly number[];
  readonly #tokens: number[] = [];
  #encodedCharacters = 0;
  #isWhole = false;

  /** @param encode Returns the tokens of a piece of the text. */
  constructor(text: GrowingText, encode: (text: string, isFirst: boolean) => readonly number[]) {
    this.#text = text;
    this.#encode = encode;
  }

  /** Returns the token of this place; undefined after the last one. */
  at(index: number): number | undefined {
    while (this.#tokens.length <= index && !this.#isWhole) this.#grow();
    return this.#tokens[index];
  }

  #grow(): void {
    const start = this.#encodedCharacters;
    let piece = this.#text.slice(start, start + pieceCharacters);
    // A character of two units is not cut.
    if (/[\ud800-\udbff]$/.test(piece))
      piece += this.#text.slice(start + piece.length, start + piece.length + 1);
    this.#isWhole = piece.length < pieceCharacters;
    this.#encodedCharacters += piece.length;
    for (const token of this.#encode(piece, start === 0)) this.#tokens.push(token);
  }
}
