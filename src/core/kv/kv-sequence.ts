// The tokens of one request in an engine, and the vLLM names of its blocks.
import type { BlockHasher, ExtraKey } from './block-hash.ts';

/** The properties that distinguish a request's KV, besides its tokens. */
export interface KvSequenceScope {
  readonly lora?: { readonly id: number; readonly name: string; readonly path: string } | undefined;
  readonly cacheSalt?: string | undefined;
  /** Announced with the blocks; does not enter their names. */
  readonly sessionId?: string | undefined;
}

/**
 * A growing token sequence with its chained block hashes, each computed once on demand.
 *
 * @example
 * const sequence = new KvSequence(hasher, 16, promptTokens, { cacheSalt: 'tenant-1' });
 * const request: EngineRequest = { …, blockKey: (index) => sequence.blockKey(index) };
 * sequence.append(token); // each sampled token, before the step that computes its KV is planned
 */
export class KvSequence {
  readonly blockSize: number;
  readonly scope: KvSequenceScope;
  readonly #hasher: BlockHasher;
  readonly #hashes: Uint8Array[] = [];
  #tokens: Uint32Array;
  #length: number;

  constructor(
    hasher: BlockHasher,
    blockSize: number,
    promptTokens: ArrayLike<number>,
    scope: KvSequenceScope = {},
  ) {
    this.#hasher = hasher;
    this.blockSize = blockSize;
    this.scope = scope;
    this.#tokens = Uint32Array.from(promptTokens);
    this.#length = this.#tokens.length;
  }

  /** Number of tokens so far. */
  get length(): number {
    return this.#length;
  }

  append(token: number): void {
    if (this.#length === this.#tokens.length) {
      const grown = new Uint32Array(Math.max(64, this.#length * 2));
      grown.set(this.#tokens);
      this.#tokens = grown;
    }
    this.#tokens[this.#length++] = token;
  }

  /** The tokens of `blockCount` blocks from `firstBlockIndex`; a view, valid until `append`. */
  tokensOf(firstBlockIndex: number, blockCount: number): Uint32Array {
    const from = firstBlockIndex * this.blockSize;
    return this.#tokens.subarray(from, from + blockCount * this.blockSize);
  }

  /**
   * The block's hash as a key of a block pool: equal keys mean equal KV.
   *
   * @throws {RangeError} If the block is not full yet.
   */
  blockKey(index: number): string {
    return keyOfHash(this.blockHash(index));
  }

  /** @throws {RangeError} If the block is not full yet. */
  blockHash(index: number): Uint8Array {
    if ((index + 1) * this.blockSize > this.#length) {
      throw new RangeError(`Block ${index} is not full: the sequence has ${this.#length} tokens`);
    }
    for (let next = this.#hashes.length; next <= index; next++) {
      this.#hashes.push(
        this.#hasher.hashBlock(
          this.#hashes[next - 1],
          this.#tokens,
          next * this.blockSize,
          (next + 1) * this.blockSize,
          this.extraKeys(next),
        ),
      );
    }
    return this.#hashes[index] as Uint8Array;
  }

  /** Extra keys in the hash of block `index`, in vLLM's order. */
  extraKeys(index: number): readonly ExtraKey[] {
    const { lora, cacheSalt } = this.scope;
    const keys: ExtraKey[] = [];
    if (lora !== undefined) keys.push(['lora', lora.name, lora.path]);
    if (cacheSalt !== undefined && index === 0) keys.push(['cache_salt', cacheSalt]);
    return keys;
  }
}

/** A hash as a string of one character per byte: compares by value in a Map. */
function keyOfHash(hash: Uint8Array): string {
  return String.fromCharCode(...hash);
}

/** The inverse of `keyOfHash`. */
export function hashOfKey(key: string): Uint8Array {
  return Uint8Array.from(key, (character) => character.charCodeAt(0));
}
