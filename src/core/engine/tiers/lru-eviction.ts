// Evicts the least recently used chunk first, in the sense of vLLM's native offload.
import type { BlockKey } from '../../kv/index.ts';
import { type Chunk, ChunkList } from './chunk-list.ts';
import type { ChunkAccess, EvictionPolicy } from './eviction-policy.ts';

/**
 * A chunk counts as used when it is inserted, and when a request that stored, loaded or offered it ends:
 * then from the tail of the prompt to its head, so that the head is evicted last. Lookups and loads
 * themselves do not affect the order.
 *
 * @see vllm/v1/kv_offload/cpu/policies/lru.py
 */
export class LruEviction implements EvictionPolicy {
  readonly #chunks = new Map<BlockKey, Chunk>();
  readonly #list = new ChunkList();

  get size(): number {
    return this.#chunks.size;
  }

  get(key: BlockKey): Chunk | undefined {
    return this.#chunks.get(key);
  }

  insert(chunk: Chunk): void {
    this.#chunks.set(chunk.key, chunk);
    this.#list.append(chunk);
  }

  missed(): void {}

  requestEnded(accesses: readonly ChunkAccess[]): void {
    for (let i = accesses.length - 1; i >= 0; i--) {
      const chunk = this.#chunks.get((accesses[i] as ChunkAccess).key);
      if (chunk === undefined) continue;
      this.#list.remove(chunk);
      this.#list.append(chunk);
    }
  }

  evict(count: number, isProtected: (key: BlockKey) => boolean): readonly Chunk[] | undefined {
    const evicted: Chunk[] = [];
    for (let chunk = this.#list.head; chunk && evicted.length < count; chunk = chunk.next) {
      if (chunk.isEvictable && !isProtected(chunk.key)) evicted.push(chunk);
    }
    if (evicted.length < count) return undefined;
    for (const chunk of evicted) {
      this.#list.remove(chunk);
      this.#chunks.delete(chunk.key);
    }
    return evicted;
  }

  clear(): void {
    this.#chunks.clear();
    this.#list.clear();
  }
}
