// Decodes a stream of tokens into text without splitting characters.
import type { Vocabulary } from './vocabulary.ts';

/**
 * Decodes one stream. A token may end within a character; its bytes wait for the rest.
 *
 * @example
 * const decoder = tokenizer.incrementalDecoder();
 * ids.map((id) => decoder.push(id)).join('') + decoder.end(); // = tokenizer.decode(ids)
 */
export class IncrementalDecoder {
  readonly #vocabulary: Vocabulary;
  readonly #skipsSpecial: boolean;
  readonly #textOf: (id: number) => string | undefined;
  /** Created at the first token that is not whole text by itself: most streams never need it. */
  #decoder: InstanceType<typeof TextDecoder> | undefined;
  /** Bytes of an incomplete character. */
  #held = new Uint8Array();

  /**
   * @param textOf Returns the text of a token that is whole UTF-8 by itself, otherwise undefined.
   */
  constructor(
    vocabulary: Vocabulary,
    skipsSpecial: boolean,
    textOf: (id: number) => string | undefined,
  ) {
    this.#vocabulary = vocabulary;
    this.#skipsSpecial = skipsSpecial;
    this.#textOf = textOf;
  }

  /** Returns the text that this token completes; often its own text, possibly empty. */
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
    // Invalid bytes wait like those of an incomplete character, as in vLLM's decoder.
    const isOpen = text.endsWith('\ufffd') && all.length <= heldBytesMax;
    this.#held = isOpen ? all : new Uint8Array();
    return isOpen ? '' : text;
  }

  /**
   * Returns the rest at the end: U+FFFD for a character that never became complete, otherwise ''.
   */
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

/**
 * Maximum number of waiting bytes; beyond it, invalid bytes are emitted. A character has at most
 * four bytes.
 */
const heldBytesMax = 4096;
