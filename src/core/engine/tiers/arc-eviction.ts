// Adaptive replacement: chunks used once and chunks used again, with a border between them that moves
// when chunks are evicted too early.
import type { BlockKey } from '../../kv/index.ts';
import { Chunk, ChunkList } from './chunk-list.ts';
import type { ChunkAccess, EvictionPolicy } from './eviction-policy.ts';

/**
 * vLLM's ARC. Ghosts are keys without contents: a store of a ghost shows that its side was too small.
 *
 * @see vllm/v1/kv_offload/cpu/policies/arc.py
 */
export class ArcEviction implements EvictionPolicy {
  readonly #chunksMax: number;
  readonly #chunks = new Map<BlockKey, Chunk>();
  readonly #once = new ChunkList();
  readonly #again = new ChunkList();
  readonly #onceGhosts = new Ghosts();
  readonly #againGhosts = new Ghosts();
  /** Target size of `once`. */
  #onceTarget = 0;

  constructor(chunksMax: number) {
    this.#chunksMax = chunksMax;
  }

  get size(): number {
    return this.#chunks.size;
  }

  get(key: BlockKey): Chunk | undefined {
    return this.#chunks.get(key);
  }

  insert(chunk: Chunk): void {
    this.#chunks.set(chunk.key, chunk);
    this.#once.append(chunk);
    this.#onceGhosts.delete(chunk.key);
    this.#againGhosts.delete(chunk.key);
  }

  missed(keys: readonly BlockKey[]): void {
    const [once, again] = [this.#onceGhosts, this.#againGhosts];
    for (let i = keys.length - 1; i >= 0; i--) {
      const key = keys[i] as BlockKey;
      if (once.has(key)) {
        const grown = this.#onceTarget + Math.max(1, again.size / once.size);
        this.#onceTarget = Math.min(grown, this.#chunksMax);
        once.renew(key);
      } else if (again.has(key)) {
        const shrunk = this.#onceTarget - Math.max(1, once.size / again.size);
        this.#onceTarget = Math.max(shrunk, 0);
        again.renew(key);
      }
    }
  }

  requestEnded(accesses: readonly ChunkAccess[]): void {
    for (let i = accesses.length - 1; i >= 0; i--) {
      const { key, onlyInserted, reused } = accesses[i] as ChunkAccess;
      const chunk = this.#chunks.get(key);
      if (chunk?.list === undefined || !(onlyInserted || reused)) continue;
      const to = reused && !onlyInserted ? this.#again : chunk.list;
      chunk.list.remove(chunk);
      to.append(chunk);
    }
  }

  evict(count: number, isProtected: (key: BlockKey) => boolean): readonly Chunk[] | undefined {
    const evicted: Chunk[] = [];
    let onceSize = this.#once.size;
    const fits = (chunk: Chunk) => chunk.isEvictable && !isProtected(chunk.key);
    const once = scan(this.#once, fits);
    const again = scan(this.#again, fits);
    while (evicted.length < count) {
      const fromOnce = onceSize >= Math.floor(this.#onceTarget) ? once() : undefined;
      const chunk = fromOnce ?? again() ?? once();
      if (chunk === undefined) return undefined;
      if (chunk.list === this.#once) onceSize--;
      evicted.push(chunk);
    }
    for (const chunk of evicted) {
      const ghosts = chunk.list === this.#once ? this.#onceGhosts : this.#againGhosts;
      chunk.list?.remove(chunk);
      this.#chunks.delete(chunk.key);
      ghosts.add(chunk.key);
    }
    this.#onceGhosts.trim(this.#chunksMax);
    this.#againGhosts.trim(this.#chunksMax);
    return evicted;
  }

  clear(): void {
    this.#chunks.clear();
    for (const list of [this.#once, this.#again]) list.clear();
    for (const ghosts of [this.#onceGhosts, this.#againGhosts]) ghosts.trim(0);
    this.#onceTarget = 0;
  }
}

/** Returns candidates from the head on that fit; continues where it stopped. */
function scan(list: ChunkList, fits: (chunk: Chunk) => boolean): () => Chunk | undefined {
  let next = list.head;
  return () => {
    while (next && !fits(next)) next = next.next;
    const found = next;
    next = next?.next;
    return found;
  };
}

/** Keys of evicted chunks, oldest first. */
class Ghosts {
  readonly #nodes = new Map<BlockKey, Chunk>();
  readonly #list = new ChunkList();

  get size(): number {
    return this.#nodes.size;
  }

  has(key: BlockKey): boolean {
    return this.#nodes.has(key);
  }

  add(key: BlockKey): void {
    // As in Python's ordered dictionary, an existing key keeps its place.
    if (this.#nodes.has(key)) return;
    const node = new Chunk(key);
    this.#nodes.set(key, node);
    this.#list.append(node);
  }

  renew(key: BlockKey): void {
    const node = this.#nodes.get(key) as Chunk;
    this.#list.remove(node);
    this.#list.append(node);
  }

  delete(key: BlockKey): void {
    const node = this.#nodes.get(key);
    if (node === undefined) return;
    this.#nodes.delete(key);
    this.#list.remove(node);
  }

  trim(sizeMax: number): void {
    for (let { head } = this.#list; head && this.size > sizeMax; head = this.#list.head) {
      this.delete(head.key);
    }
  }
}
