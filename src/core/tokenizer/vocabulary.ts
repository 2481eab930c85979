// The bytes of each token, in one array: 151,000 strings would cost ten times the memory.
import { byteOfCharacter } from './byte-level.ts';
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

  /** @param strings Shape [size]: entries in the byte-level alphabet, by id; holes are empty. */
  constructor(strings: readonly string[], added: readonly AddedTokenJson[]) {
    const encoder = new TextEncoder();
    const addedBytes = new Map(added.map(({ id, content }) => [id, encoder.encode(content)]));
    this.size = strings.length;
    this.#added = new Set(addedBytes.keys());
    this.#special = new Set(added.filter(({ special }) => special).map(({ id }) => id));
    this.#offsets = new Uint32Array(this.size + 1);
    let length = 0;
    for (let id = 0; id < this.size; id++) {
      length += addedBytes.get(id)?.length ?? strings[id]?.length ?? 0;
    }
    this.#bytes = new Uint8Array(length);
    let at = 0;
    for (let id = 0; id < this.size; id++) {
      const raw = addedBytes.get(id);
      if (raw) {
        this.#bytes.set(raw, at);
        at += raw.length;
      } else {
        const text = strings[id] ?? '';
        for (let i = 0; i < text.length; i++) {
          this.#bytes[at++] = byteOfCharacter(text.charCodeAt(i)) ?? 0x3f;
        }
      }
      this.#offsets[id + 1] = at;
    }
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
