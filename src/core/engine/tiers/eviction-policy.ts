// What a tier asks of the policy that chooses the chunks to evict.
import type { BlockKey } from '../../kv/index.ts';
import type { Chunk } from './chunk-list.ts';

/** How a request used a chunk, reported once when the request has ended. */
export interface ChunkAccess {
  readonly key: BlockKey;
  /** It stored the chunk, and did not read it again. */
  readonly onlyInserted: boolean;
  /** It found the chunk readable, to load it or when it was about to store it. */
  readonly reused: boolean;
}

/** Keeps the chunks of a tier and selects which to evict. */
export interface EvictionPolicy {
  readonly size: number;
  get(key: BlockKey): Chunk | undefined;
  insert(chunk: Chunk): void;
  /** Chunks that a request wants to store are missing; called once per request and key. */
  missed(keys: readonly BlockKey[]): void;
  /** @param accesses In the order of the prompt. */
  requestEnded(accesses: readonly ChunkAccess[]): void;
  /** Removes exactly `count` chunks that no transfer uses; undefined, changing nothing, if it cannot. */
  evict(count: number, isProtected: (key: BlockKey) => boolean): readonly Chunk[] | undefined;
  clear(): void;
}
