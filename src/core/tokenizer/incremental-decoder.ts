// Decodes a stream of tokens into text without ever cutting a character in two.
import type { Vocabulary } from './vocabulary.ts';

/**
 * One per stream. A token may end within a character; its bytes wait for the rest.
 *
 * @example
 * const decoder = tokenizer.incrementalDecoder();
 * ids.map((id) => decoder.push(id)).join('') + decoder.end(); // = tokenizer.decode(ids)
 */
export class IncrementalDecoder {
  readonly #vocabulary: Vocabulary;
  readonly #skipsSpecial: boolean;
  readonly #textOf: (id: number) => string | undefined;
  /** Made at the first token that is not whole text by itself: most streams never need one. */
  #decoder: InstanceType<typeof TextDecoder> | undefined;
  #isWithinCharacter = false;

  /** @param textOf The text of a token that is whole UTF-8 by itself, else undefined. */
  constructor(
    vocabulary: Vocabulary,
    skipsSpecial: boolean,
    textOf: (id: number) => string | undefined,
  ) {
    this.#vocabulary = vocabulary;
    this.#skipsSpecial = skipsSpecial;
    this.#textOf = textOf;
  }

  /** The text that became complete with this token; often of this token alone, maybe empty. */
  push(id: number): string {
    if (this.#skipsSpecial && this.#vocabulary.isSpecial(id)) return '';
    if (!this.#isWithinCharacter) {
      const text = this.#textOf(id);
      if (text !== undefined) return text;
    }
    this.#decoder ??= new TextDecoder('utf-8', { ignoreBOM: true });
    const bytes = this.#vocabulary.bytes(id);
    const last = bytes.at(-1);
    // After an ASCII byte no character can be open, whatever came before.
    if (last !== undefined) this.#isWithinCharacter = last >= 0x80;
    return this.#decoder.decode(bytes, { stream: true });
  }

  /** What is left at the end: U+FFFD for a character that never became whole, else ''. */
  end(): string {
    this.#isWithinCharacter = false;
    return this.#decoder?.decode() ?? '';
  }
}
