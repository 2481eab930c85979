// The bytes of each token, in one array: 151,000 strings would cost ten times the memory.
import type { AddedTokenJson } from './tokenizer-json.ts';

export class Vocabulary {
  /** Highest id plus one. */
  readonly size: number;
  readonly #bytes: Uint8Array;
  /** Shape [size + 1]: the bytes of token `id` go from offsets[id] to offsets[id + 1]. */
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

  /** Returns the token's bytes; do not modify them. Empty for an id outside the vocabulary. */
  bytes(id: number): Uint8Array {
    return id >= 0 && id < this.size
      ? this.#bytes.subarray(this.#offsets[id], this.#offsets[id + 1])
      : this.#bytes.subarray(0, 0);
  }

  /** Whether the token marks turns or ends; such tokens are omitted from responses. */
  isSpecial(id: number): boolean {
    return this.#special.has(id);
  }

  /** Whether the token is recognised in text as written, not produced by merging. */
  isAdded(id: number): boolean {
    return this.#added.has(id);
  }

  /** Returns the text of several tokens; invalid UTF-8 becomes U+FFFD. */
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
