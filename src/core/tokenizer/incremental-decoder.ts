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
  /** Bytes whose text does not end yet. */
  #held = new Uint8Array();

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
    if (this.#held.length === 0) {
      const text = this.#textOf(id);
      if (text !== undefined) return text;
    }
    const bytes = this.#vocabulary.bytes(id);
    const all = new Uint8Array(this.#held.length + bytes.length);
    all.set(this.#held);
    all.set(bytes, this.#held.length);
    const text = this.#decoded(all);
    // Bytes that are no character wait like those of an unfinished one, as in vLLM's decoder.
    const isOpen = text.endsWith('\ufffd') && all.length <= heldBytesMax;
    this.#held = isOpen ? all : new Uint8Array();
    return isOpen ? '' : text;
  }

  /** What is left at the end: U+FFFD for a character that never became whole, else ''. */
  end(): string {
    const text = this.#held.length > 0 ? this.#decoded(this.#held) : '';
    this.#held = new Uint8Array();
    return text;
  }

  #decoded(bytes: Uint8Array): string {
    this.#decoder ??= new TextDecoder('utf-8', { ignoreBOM: true });
    return this.#decoder.decode(bytes);
  }
}

/** A stream of nonsense is let through from here on; a character has four bytes at most. */
const heldBytesMax = 4096;
