// Counts tokens whose KV an engine recomputes: redundant prefill.
import type { BlockKey } from '../kv/index.ts';
import type { EngineConfig } from './config.ts';
import { EvictedKeys } from './evicted-keys.ts';
import type { Sequence } from './sequence.ts';

/** Number of remembered evicted blocks, in cache sizes: a prompt evicted longer ago counts as new. */
const cacheSizesRemembered = 8;
const evictedKeysMin = 2 ** 15;
const evictedKeysMax = 2 ** 18;

/**
 * Tokens recomputed after a preemption, and those of prompts whose blocks were cached and evicted.
 * vLLM counts neither: its prompt tokens are those of each request, once.
 */
export class RecomputedTokens {
  /** Tokens of prompts and responses. */
  afterPreemption = 0;
  /** Tokens of prompts, in whole blocks. */
  afterEviction = 0;
  readonly #blockSize: number;
  readonly #generationMax: number;
  /** Keys of evicted blocks. The older of two generations is dropped when the newer one is full. */
  #newer = new EvictedKeys();
  #older = new EvictedKeys();

  constructor({ blockSize, numGpuBlocks }: Pick<EngineConfig, 'blockSize' | 'numGpuBlocks'>) {
    this.#blockSize = blockSize;
    const wanted = Math.max(evictedKeysMin, cacheSizesRemembered * numGpuBlocks);
    const max = Math.min(evictedKeysMax, wanted);
    this.#generationMax = Math.ceil(max / 2);
  }

  /** Called when a block of the cache was given to another sequence. */
  evicted(key: BlockKey): void {
    if (this.#newer.size >= this.#generationMax) {
      this.#older = this.#newer;
      this.#newer = new EvictedKeys();
    }
    this.#newer.add(key);
  }

  /** Called when a request starts for the first time, with the result of its lookup. */
  started(sequence: Sequence): void {
    if (this.#newer.size === 0) return;
    const blocks = Math.floor(sequence.request.promptTokens / this.#blockSize);
    // Keys are chained: after a block that was never cached, no other was.
    for (let i = Math.floor(sequence.foundTokens / this.#blockSize); i < blocks; i++) {
      const key = sequence.blockKey(i);
      if (!this.#newer.has(key) && !this.#older.has(key)) return;
      this.afterEviction += this.#blockSize;
    }
  }

  /** Called when a request resumes after a preemption, with the result of its lookup. */
  resumed({ lostTokens, foundTokens }: Sequence): void {
    this.afterPreemption += Math.max(0, lostTokens - foundTokens);
  }
}
