// The bytes of each token, in one array: 151,000 strings would cost ten times the memory.
import type { AddedTokenJson } from './definition.ts';

export class Vocabulary {
  /** One more than the highest id. */
  readonly size: number;
  readonly #bytes: Uint8Array;
  /** Shape [size + 1]: token `id` is the bytes from offsets[id] to offsets[id + 1]. */
  readonly #offsets: Uint32Array;
  readonly #special: ReadonlySet<number>;
  readonly #added: ReadonlySet<number>;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  /** @param tables As in `TokenTables`. */
  constructor(
    tables: { readonly bytes: Uint8Array; readonly offsets: Uint32Array },
    added: readonly AddedTokenJson[],
  ) {
    this.size = tables.offsets.length - 1;
    this.#added = new Set(added.map(({ id }) => id));
    this.#special = new Set(added.filter(({ special }) => special).map(({ id }) => id));
    this.#bytes = tables.bytes;
    this.#offsets = tables.offsets;
  }

  /** The token's bytes, not to be changed; empty for an id that the vocabulary lacks. */
  bytes(id: number): Uint8Array {
    return id >= 0 && id < this.size
      ? this.#bytes.subarray(this.#offsets[id], this.#offsets[id + 1])
      : this.#bytes.subarray(0, 0);
  }

  /** Marks turns and ends; left out of answers. */
  isSpecial(id: number): boolean {
    return this.#special.has(id);
  }

  /** Not made by merging: found in the text as it is written. */
  isAdded(id: number): boolean {
    return this.#added.has(id);
  }

  /** Text of several tokens; bytes that are no UTF-8 become U+FFFD. */
  text(ids: readonly number[]): string {
    let length = 0;
    for (const id of ids) length += this.bytes(id).length;
    const joined = new Uint8Array(length);
    let at = 0;
    for (const id of ids) {
      const bytes = this.bytes(id);
      joined.set(bytes, at);
      at += bytes.length;
    }
    return this.#decoder.decode(joined);
  }
}
