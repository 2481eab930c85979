// Chunks of KV in a tier, in the order of eviction.
import type { BlockKey } from '../../kv/index.ts';

/** One slot of a tier, and the key of its contents. */
export class Chunk {
  readonly key: BlockKey;
  /** Transfers that read it; −1 while it is being written. */
  readers = -1;
  /** The list that it is in, and its position there; owned by the list. */
  list: ChunkList | undefined;
  previous: Chunk | undefined;
  next: Chunk | undefined;

  constructor(key: BlockKey) {
    this.key = key;
  }

  get isReadable(): boolean {
    return this.readers >= 0;
  }

  get isEvictable(): boolean {
    return this.readers === 0;
  }
}

/** A linked list: the oldest is at its head, and every change takes constant time. */
export class ChunkList {
  size = 0;
  head: Chunk | undefined;
  #tail: Chunk | undefined;

  append(chunk: Chunk): void {
    chunk.list = this;
    chunk.previous = this.#tail;
    chunk.next = undefined;
    if (this.#tail) this.#tail.next = chunk;
    else this.head = chunk;
    this.#tail = chunk;
    this.size++;
  }

  remove(chunk: Chunk): void {
    const { previous, next } = chunk;
    if (previous) previous.next = next;
    else this.head = next;
    if (next) next.previous = previous;
    else this.#tail = previous;
    chunk.list = undefined;
    chunk.previous = undefined;
    chunk.next = undefined;
    this.size--;
  }

  clear(): void {
    this.head = undefined;
    this.#tail = undefined;
    this.size = 0;
  }
}
