// LMCache's own names of chunks, by the keys under which the engine model keeps them: what a cache server stores and a
// controller hears of are named as a real LMCache names them.
import { LruMap } from '../../../core/base/index.ts';
import type { BlockKey, TieredSequence } from '../../../core/engine/index.ts';
import { inProcessChunkHashes, noneHash } from '../../../core/lmcache/index.ts';
import type { GeneratedSequence } from '../sequences/generated-sequence.ts';

/** Names that are kept, 67 million tokens; a chunk whose name is gone is not reported. */
const namesMax = 262_144;

export class ChunkNames {
  readonly #blocksPerChunk: number;
  readonly #chunkTokens: number;
  readonly #root: bigint;
  readonly #names = new LruMap<BlockKey, bigint>({ entriesMax: namesMax });

  /** @param hashSeed PYTHONHASHSEED. */
  constructor(options: {
    readonly blocksPerChunk: number;
    readonly blockSize: number;
    readonly hashSeed: number;
  }) {
    this.#blocksPerChunk = options.blocksPerChunk;
    this.#chunkTokens = options.blocksPerChunk * options.blockSize;
    this.#root = noneHash(options.hashSeed);
  }

  /** Names the chunks of a prompt. With an adapter or a salt, LMCache's names would be those of other KV. */
  learn(sequence: TieredSequence): void {
    const request = sequence.request as GeneratedSequence;
    if (request.hasOwnScope) return;
    const chunks = Math.floor(request.promptTokens / this.#chunkTokens);
    const lastKey = chunks > 0 ? this.#keyOf(sequence, chunks - 1) : undefined;
    // The last chunk's name continues all others.
    if (lastKey === undefined || this.#names.get(lastKey) !== undefined) return;
    const hashes = inProcessChunkHashes(request.prompt, this.#root, this.#chunkTokens);
    for (const [chunk, hash] of hashes.entries()) {
      this.#names.set(this.#keyOf(sequence, chunk), hash);
    }
  }

  /** The names of the whole chunks of a prompt. */
  hashesOf(tokens: readonly number[]): readonly bigint[] {
    return inProcessChunkHashes(tokens, this.#root, this.#chunkTokens);
  }

  /** Undefined if it is not known. */
  of(key: BlockKey): bigint | undefined {
    return this.#names.peek(key);
  }

  set(key: BlockKey, hash: bigint): void {
    this.#names.set(key, hash);
  }

  /** The chunks of a prompt whose names are known. */
  *namesIn(sequence: TieredSequence): Generator<readonly [BlockKey, bigint]> {
    const request = sequence.request as GeneratedSequence;
    if (request.hasOwnScope) return;
    const chunks = Math.floor(request.promptTokens / this.#chunkTokens);
    for (let chunk = 0; chunk < chunks; chunk++) {
      const key = this.#keyOf(sequence, chunk);
      const hash = this.#names.peek(key);
      if (hash !== undefined) yield [key, hash];
    }
  }

  #keyOf(sequence: TieredSequence, chunk: number): BlockKey {
    return sequence.blockKey((chunk + 1) * this.#blocksPerChunk - 1);
  }
}
