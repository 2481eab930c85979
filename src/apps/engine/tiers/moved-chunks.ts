// Chunks that another engine has moved into this one's host memory. LMCache names them by its own hash of the tokens; the engine
// model knows a chunk by its blocks, and these only from a prompt. Until one comes, they have keys of their own.
import type { BlockKey, Lmcache, TieredSequence } from '../../../core/engine/index.ts';
import type { ChunkNames } from './chunk-names.ts';
import type { ControllerReport } from './controller-report.ts';

export class MovedChunks {
  readonly #names: ChunkNames;
  readonly #report: ControllerReport;
  /** At most as many as fit in host memory. */
  readonly #keys = new Set<BlockKey>();

  constructor(names: ChunkNames, report: ControllerReport) {
    this.#names = names;
    this.#report = report;
  }

  /** @returns False if the chunk finds no place. */
  take(hash: bigint, connector: Lmcache): boolean {
    if (this.#report.inHostMemory(hash) !== undefined) return true;
    const key = `moved ${hash}`;
    if (!connector.take(key)) return false;
    this.#keys.add(key);
    this.#names.set(key, hash);
    this.#report.stored('LocalCPUBackend', [key]);
    return true;
  }

  /** A prompt is looked up: its chunks among them become chunks like others. */
  adopt(sequence: TieredSequence, connector: Lmcache): void {
    if (this.#keys.size === 0) return;
    for (const [key, hash] of this.#names.namesIn(sequence)) {
      const held = this.#report.inHostMemory(hash);
      if (held === undefined || !this.#keys.delete(held)) continue;
      this.#report.renamed(held, key);
      connector.rename(held, key);
    }
  }

  /** Chunks have left host memory. @returns Those that the engine's own listeners know. */
  forget(keys: readonly BlockKey[]): readonly BlockKey[] {
    return this.#keys.size === 0 ? keys : keys.filter((key) => !this.#keys.delete(key));
  }
}
