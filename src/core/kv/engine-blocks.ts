// The blocks of one engine according to its own events: its hashes, and ours of the same blocks.
import type { LruMap } from '../base/index.ts';
import type {
  BlockRemovedEvent,
  BlockStoredEvent,
  EventBlockHash,
  EventExtraKey,
  KvEvent,
} from '../protocol/index.ts';
import { type ChainHash, hashTokenBlock } from './chain-hash.ts';
import { adapterRoot, withExtraKeys } from './chain-scope.ts';
import { EngineHashTable } from './engine-hash-table.ts';
import type { Expectations } from './expected-blocks.ts';
import { type KvTier, type TierTables, tierOf } from './tier-tables.ts';

/**
 * How well the cache of an engine is known:
 * - `exact`: all events since its start were received.
 * - `partial`: some were missed, so the index may lack blocks or contain evicted ones.
 * - `none`: its event stream is not live, whatever was received before.
 */
export type KvKnowledge = 'exact' | 'partial' | 'none';

export interface KvIndexEngineOptions {
  /**
   * How a hash that is stored repeatedly counts. vLLM announces each physical block, so with `references` it
   * must be removed as often. With `vllm_xargs.kv_cache_report_mode: "full"`, vLLM also announces every hit,
   * which only `set` handles. @default 'references'
   */
  readonly repeats?: 'references' | 'set';
}

/** What the engines of an index share. */
export interface SharedBlocks {
  readonly tables: TierTables;
  readonly expectations: Expectations;
  /** Names of adapters of which blocks were announced. */
  readonly adapters: LruMap<string, true>;
  readonly counts: BlockCounts;
}

/** See `KvIndexStats`. */
export interface BlockCounts {
  orphans: number;
  overflows: number;
  ignoredEvents: number;
}

/** One engine's blocks in one tier. */
interface Holding {
  /** The engine's hash of each block that it holds, to our hash. */
  readonly hashes: EngineHashTable;
  /** Our hashes of blocks with several engine hashes, to the number of additional ones. */
  readonly aliases: Map<ChainHash, number>;
}

/** Kinds of KV cache whose blocks hold a whole prefix; others drop blocks as their window moves. */
const indexedKinds: ReadonlySet<string> = new Set(['full_attention', 'mla_attention']);

export class EngineBlocks {
  /** Its bit in the tables. */
  readonly holder: number;
  knowledge: KvKnowledge = 'exact';
  /** Tokens per block; 0 before its first block. */
  blockSize = 0;
  readonly #shared: SharedBlocks;
  readonly #repeats: 'references' | 'set';
  readonly #tiers = new Map<KvTier, Holding>();
  /** The KV cache group that is indexed: the first announced one with full attention. */
  #groupIndex: number | undefined = undefined;

  constructor(holder: number, shared: SharedBlocks, options: KvIndexEngineOptions) {
    this.holder = holder;
    this.#shared = shared;
    this.#repeats = options.repeats ?? 'references';
  }

  apply(event: KvEvent): void {
    switch (event.type) {
      case 'BlockStored':
        this.#store(event);
        return;
      case 'BlockRemoved':
        this.#remove(event);
        return;
      case 'AllBlocksCleared':
        // Resetting the prefix cache does not affect lower tiers.
        this.#clearTier('GPU');
        return;
      case 'unknown':
        this.#shared.counts.ignoredEvents += 1;
    }
  }

  /** Removes all blocks, and what is expected. */
  clear(): void {
    for (const tier of [...this.#tiers.keys()]) this.#clearTier(tier);
    this.#shared.expectations.clear(this.holder);
  }

  /** Number of its blocks in a tier. */
  sizeOf(tier: KvTier): number {
    return this.#tiers.get(tier)?.hashes.size ?? 0;
  }

  /** Number of its blocks, once per tier, and the memory of its own tables. */
  get footprint(): { readonly holdings: number; readonly bytes: number } {
    let holdings = 0;
    let bytes = 0;
    for (const { hashes } of this.#tiers.values()) {
      holdings += hashes.size;
      bytes += hashes.bytes;
    }
    return { holdings, bytes };
  }

  #store(event: BlockStoredEvent): void {
    const { blockHashes, blockSize, tokenIds } = event;
    const tier = tierOf(event.medium);
    if (tier === undefined || !this.#isIndexed(event)) {
      this.#shared.counts.ignoredEvents += 1;
      return;
    }
    // Offload tiers announce blocks that the GPU has announced before, by hash alone.
    if (blockSize === 0 || tokenIds.length === 0) {
      for (const hash of blockHashes) {
        const known = this.#known(hash);
        if (known === 0) this.#shared.counts.orphans += 1;
        else this.#hold(tier, hash, known);
      }
      return;
    }
    if (tokenIds.length !== blockHashes.length * blockSize) {
      this.#shared.counts.ignoredEvents += 1;
      return;
    }
    const first = event.parentBlockHash;
    let parent = first === undefined ? adapterRoot(adapterOf(event)) : this.#known(first);
    if (parent === 0) {
      this.#shared.counts.orphans += blockHashes.length;
      return;
    }
    if (tier === 'GPU') this.blockSize = blockSize;
    if (event.loraName !== undefined) this.#shared.adapters.set(event.loraName, true);
    for (let i = 0; i < blockHashes.length; i++) {
      const keys = ownKeys(event.extraKeys?.[i], event.loraName);
      const seed = withExtraKeys(parent, keys);
      parent = hashTokenBlock(seed, tokenIds, i * blockSize, (i + 1) * blockSize);
      this.#hold(tier, blockHashes[i] as EventBlockHash, parent);
    }
  }

  #remove(event: BlockRemovedEvent): void {
    const tier = tierOf(event.medium);
    const otherGroup =
      event.groupIndex !== undefined &&
      this.#groupIndex !== undefined &&
      event.groupIndex !== this.#groupIndex;
    const holding = tier === undefined ? undefined : this.#tiers.get(tier);
    if (tier === undefined || otherGroup || holding === undefined) {
      this.#shared.counts.ignoredEvents += 1;
      return;
    }
    const { hashes, aliases } = holding;
    for (const hash of event.blockHashes) {
      split(hash);
      const count = hashes.countOf(high, low);
      if (count === 0) continue;
      const known = hashes.hashOf(high, low);
      if (count > 1) {
        hashes.set(high, low, known, count - 1);
        continue;
      }
      hashes.delete(high, low);
      const others = aliases.get(known) ?? 0;
      if (others === 0) this.#shared.tables.table(tier).remove(known, this.holder);
      else if (others === 1) aliases.delete(known);
      else aliases.set(known, others - 1);
    }
  }

  #hold(tier: KvTier, hash: EventBlockHash, ours: ChainHash): void {
    let holding = this.#tiers.get(tier);
    if (holding === undefined) {
      holding = { hashes: new EngineHashTable(), aliases: new Map() };
      this.#tiers.set(tier, holding);
    }
    const { hashes, aliases } = holding;
    const table = this.#shared.tables.table(tier);
    if (tier === 'GPU') this.#shared.expectations.confirm(ours, this.holder);
    split(hash);
    const count = hashes.countOf(high, low);
    if (count > 0) {
      const references = this.#repeats === 'set' ? 1 : count + 1;
      hashes.set(high, low, hashes.hashOf(high, low), references);
      return;
    }
    if (table.has(ours, this.holder)) {
      aliases.set(ours, (aliases.get(ours) ?? 0) + 1);
    } else if (!table.add(ours, this.holder)) {
      this.#shared.counts.overflows += 1;
      return;
    }
    hashes.set(high, low, ours, 1);
  }

  /** Our hash of a block that the engine has announced in some tier; 0 if it has not. */
  #known(hash: EventBlockHash): ChainHash {
    split(hash);
    for (const { hashes } of this.#tiers.values()) {
      const known = hashes.hashOf(high, low);
      if (known !== 0) return known;
    }
    return 0;
  }

  #isIndexed(event: BlockStoredEvent): boolean {
    if (event.cacheSpecKind !== undefined && !indexedKinds.has(event.cacheSpecKind)) return false;
    this.#groupIndex ??= event.groupIndex;
    return event.groupIndex === undefined || event.groupIndex === this.#groupIndex;
  }

  #clearTier(tier: KvTier): void {
    const table = this.#shared.tables.table(tier);
    for (const hash of this.#tiers.get(tier)?.hashes.hashes() ?? []) {
      table.remove(hash, this.holder);
    }
    this.#tiers.delete(tier);
  }
}

/** Old engines identify adapters by number in events, which no request can match. */
function adapterOf({ loraName, loraId }: BlockStoredEvent): string | undefined {
  return loraName ?? (loraId === undefined ? undefined : `number ${loraId}`);
}

/** A block's extra keys without the adapter, which comes first and is part of the chain's root. */
function ownKeys(
  keys: readonly EventExtraKey[] | undefined,
  loraName: string | undefined,
): readonly EventExtraKey[] {
  if (keys === undefined) return [];
  return loraName !== undefined && keys[0] === loraName ? keys.slice(1) : keys;
}

// The two halves of the last hash passed to `split`. Module variables, because an object per block would be
// garbage at millions of blocks per second.
let high = 0;
let low = 0;
const wide = new BigUint64Array(1);
const halves = new Uint32Array(wide.buffer);

/** A whole hash is identified by its last 8 bytes, like its integer form. */
function split(hash: EventBlockHash): void {
  if (typeof hash === 'bigint') {
    // Which half comes first depends on the machine; any fixed assignment works.
    wide[0] = hash;
    low = halves[0] as number;
    high = halves[1] as number;
    return;
  }
  const { length } = hash;
  high = 0;
  low = 0;
  for (let i = Math.max(0, length - 8); i < length - 4; i++)
    high = (high << 8) | (hash[i] as number);
  for (let i = Math.max(0, length - 4); i < length; i++) low = (low << 8) | (hash[i] as number);
  high >>>= 0;
  low >>>= 0;
}
