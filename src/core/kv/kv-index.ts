// An index of the KV blocks of all engines, according to the engines' own events.
import { LruMap } from '../base/index.ts';
import type {
  BlockRemovedEvent,
  BlockStoredEvent,
  EventBlockHash,
  EventExtraKey,
  KvEvent,
} from '../protocol/index.ts';
import { type ChainHash, hashTokenBlock, hashTokenChain } from './chain-hash.ts';
import { adapterRoot, type ChainScope, scopeRoot, withExtraKeys } from './chain-scope.ts';
import { EngineHashTable } from './engine-hash-table.ts';
import { ExpectedBlocks, type ExpectedPrompt } from './expected-blocks.ts';
import { HolderTable } from './holder-table.ts';

/** Memory tier in which an engine keeps a block. */
export type KvTier = (typeof tiers)[number];

/** Tiers, fastest first. */
const tiers = ['GPU', 'CPU', 'STORAGE'] as const;

/**
 * How well the cache of an engine is known:
 * - `exact`: all events since its start were received.
 * - `partial`: some were missed, so the index may lack blocks or contain evicted ones.
 * - `none`: its event stream is not live, whatever was received before.
 */
export type KvKnowledge = 'exact' | 'partial' | 'none';

export interface KvIndexOptions {
  /**
   * Maximum number of different blocks over all engines, per tier. When full, new blocks are counted but not
   * indexed, so that matches may be too short but never too long. @default 16 Mi
   */
  readonly blocksMax?: number;
  /**
   * Maximum number of different blocks that are expected of prompts whose events have not come yet. Prompts beyond
   * count when their events come. @default 1 Mi
   */
  readonly expectedBlocksMax?: number;
}

export interface KvIndexEngineOptions {
  /**
   * How a hash that is stored repeatedly counts. vLLM announces each physical block, so with `references` it
   * must be removed as often. With `vllm_xargs.kv_cache_report_mode: "full"`, vLLM also announces every hit,
   * which only `set` handles. @default 'references'
   */
  readonly repeats?: 'references' | 'set';
}

/** A prompt that was sent. */
export interface ExpectedOptions {
  /** Of the engine. */
  readonly name: string;
  readonly tokens: ArrayLike<number>;
  readonly scope: ChainScope;
  readonly blockTokens?: number | undefined;
}

/** Size and counters of the index, for debugging. */
export interface KvIndexStats {
  readonly engines: number;
  /** Number of different blocks on GPUs. */
  readonly blocks: number;
  /** Number of blocks, counted once per engine and tier that holds them. */
  readonly holdings: number;
  /** Memory of the tables. */
  readonly bytes: number;
  /** Stored blocks whose parent was never announced, because events before the connection are unknown. */
  readonly orphans: number;
  /** Stored blocks refused because the index was full. */
  readonly overflows: number;
  /** Ignored events: other kinds of attention, inconsistent sizes, unknown types. */
  readonly ignoredEvents: number;
}

/** One engine's blocks in one tier. */
interface Holding {
  /** The engine's hash of each block that it holds, to our hash. */
  readonly hashes: EngineHashTable;
  /** Our hashes of blocks with several engine hashes, to the number of additional ones. */
  readonly aliases: Map<ChainHash, number>;
}

interface IndexedEngine {
  /** Its bit in the tables. */
  readonly holder: number;
  readonly repeats: 'references' | 'set';
  readonly tiers: Map<KvTier, Holding>;
  knowledge: KvKnowledge;
  blockSize: number;
  /** The KV cache group that is indexed: the first announced one with full attention. */
  groupIndex: number | undefined;
}

/** Maximum number of adapter names; beyond it, the least recent one is forgotten. */
const adaptersMax = 4096;

/** Kinds of KV cache whose blocks hold a whole prefix; others drop blocks as their window moves. */
const indexedKinds: ReadonlySet<string> = new Set(['full_attention', 'mla_attention']);

/**
 * An exact index of the blocks of many engines.
 *
 * Engines name blocks by hashes that depend on their version and seed. The index renames each stored block from
 * its tokens and its parent, so that a prompt is hashed only once for all engines.
 *
 * @example
 * const index = new KvIndex();
 * index.apply('http://a', batch.events);
 * index.match(promptTokens, {}, ['http://a', 'http://b']); // Int32Array [1024, 0], in tokens
 */
export class KvIndex {
  readonly #options: KvIndexOptions;
  readonly #engines = new Map<string, IndexedEngine>();
  readonly #tables = new Map<KvTier, HolderTable>();
  /** One for each router that picks by this index; in a simulation there may be several. */
  #expectations: WeakRef<ExpectedBlocks>[] = [];
  readonly #freeHolders: number[] = [];
  readonly #adapters = new LruMap<string, true>({ entriesMax: adaptersMax });
  #lastChain:
    | {
        readonly tokens: ArrayLike<number>;
        readonly blockSize: number;
        readonly root: ChainHash;
        readonly chain: Float64Array;
      }
    | undefined;
  #orphans = 0;
  #overflows = 0;
  #ignoredEvents = 0;

  constructor(options: KvIndexOptions = {}) {
    this.#options = options;
  }

  /** Adds an engine with options; `apply` adds unknown ones with defaults. */
  addEngine(name: string, options: KvIndexEngineOptions = {}): void {
    if (!this.#engines.has(name)) this.#engine(name, options);
  }

  /** Removes an engine. */
  removeEngine(name: string): void {
    const engine = this.#engines.get(name);
    if (engine === undefined) return;
    this.clear(name);
    this.#engines.delete(name);
    this.#freeHolders.push(engine.holder);
  }

  /** Removes all blocks of an engine that restarted, or whose events were lost for good. */
  clear(name: string): void {
    const engine = this.#engines.get(name);
    if (engine === undefined) return;
    for (const tier of [...engine.tiers.keys()]) this.#clearTier(engine, tier);
    for (const expected of this.#expectations) expected.deref()?.clear(engine.holder);
  }

  /** Applies the events of one batch in order. */
  apply(name: string, events: readonly KvEvent[]): void {
    const engine = this.#engines.get(name) ?? this.#engine(name, {});
    for (const event of events) {
      switch (event.type) {
        case 'BlockStored':
          this.#store(engine, event);
          break;
        case 'BlockRemoved':
          this.#remove(engine, event);
          break;
        case 'AllBlocksCleared':
          // Resetting the prefix cache does not affect lower tiers.
          this.#clearTier(engine, 'GPU');
          break;
        case 'unknown':
          this.#ignoredEvents += 1;
      }
    }
  }

  /**
   * Counts, for each engine, the leading tokens of a prompt that it has cached.
   *
   * @param names Shape [n]; an engine without a live event stream counts as empty.
   * @param tier The lowest tier that counts; blocks in faster tiers count too.
   * @param expected Expected blocks, which count too.
   * @returns Shape [n], tokens, multiples of the engine's block size.
   */
  match(
    tokens: ArrayLike<number>,
    scope: ChainScope,
    names: readonly string[],
    tier: KvTier = 'GPU',
    expected?: ExpectedBlocks,
  ): Int32Array {
    const matched = new Int32Array(names.length);
    const engines = names.map((name) => {
      const engine = this.#engines.get(name);
      return engine?.knowledge === 'none' ? undefined : engine;
    });
    const blockSizes = new Set(engines.map((engine) => engine?.blockSize ?? 0));
    for (const blockSize of blockSizes) {
      if (blockSize === 0) continue;
      const chain = this.#chainOf(tokens, blockSize, scope);
      const holders = engines.map((engine) =>
        engine?.blockSize === blockSize ? engine.holder : -1,
      );
      const counts = this.#countPrefix(chain, holders, tier, expected);
      for (let i = 0; i < counts.length; i++) {
        if (holders[i] !== -1) matched[i] = (counts[i] as number) * blockSize;
      }
    }
    return matched;
  }

  /**
   * Creates what one router expects of prompts that it sent: they count as cached by an engine that computes them, until
   * the engine's events say so. Without this, the next requests with the same prompt would go elsewhere for as long as
   * its prefill takes. Dropped with its last reference.
   */
  expectations(): ExpectedBlocks {
    const expected = new ExpectedBlocks(this.#options.expectedBlocksMax);
    this.#expectations = this.#expectations.filter((one) => one.deref() !== undefined);
    this.#expectations.push(new WeakRef(expected));
    return expected;
  }

  /**
   * Expects a prompt that was sent to an engine.
   *
   * @param blockTokens Tokens per block, if the engine has announced none yet.
   * @returns For `settle` or `withdraw`, one of which must follow; undefined if nothing is expected.
   */
  expect(
    expected: ExpectedBlocks,
    { name, tokens, scope, blockTokens = 0 }: ExpectedOptions,
  ): ExpectedPrompt | undefined {
    const engine = this.#engines.get(name);
    if (engine === undefined || engine.knowledge === 'none') return undefined;
    if (engine.blockSize === 0) engine.blockSize = blockTokens;
    if (engine.blockSize === 0) return undefined;
    const chain = this.#chainOf(tokens, engine.blockSize, scope);
    const gpu = this.#table('GPU');
    const missing = Array.from(chain).filter((hash) => !gpu.has(hash, engine.holder));
    return missing.length === 0 ? undefined : expected.add(engine.holder, missing);
  }

  get stats(): KvIndexStats {
    let holdings = 0;
    let bytes = 0;
    for (const table of this.#tables.values()) bytes += table.bytes;
    for (const { tiers } of this.#engines.values()) {
      for (const { hashes } of tiers.values()) {
        holdings += hashes.size;
        bytes += hashes.bytes;
      }
    }
    return {
      engines: this.#engines.size,
      blocks: this.#tables.get('GPU')?.size ?? 0,
      holdings,
      bytes,
      orphans: this.#orphans,
      overflows: this.#overflows,
      ignoredEvents: this.#ignoredEvents,
    };
  }

  /**
   * Sets how well an engine's cache is known, which only the feed of the index can tell. @default `exact`
   */
  setKnowledge(name: string, knowledge: KvKnowledge): void {
    (this.#engines.get(name) ?? this.#engine(name, {})).knowledge = knowledge;
  }

  knowledgeOf(name: string): KvKnowledge {
    return this.#engines.get(name)?.knowledge ?? 'none';
  }

  /** Whether any engine has a live event stream. */
  get hasLiveStream(): boolean {
    for (const { knowledge } of this.#engines.values()) if (knowledge !== 'none') return true;
    return false;
  }

  /** Tokens per block of an engine; 0 before its first block. */
  blockSizeOf(name: string): number {
    return this.#engines.get(name)?.blockSize ?? 0;
  }

  /** Whether blocks of a LoRA adapter of this name were ever announced. */
  hasAdapter(name: string): boolean {
    return this.#adapters.has(name);
  }

  /** Whether any engine holds a block in a tier. */
  knowsTier(tier: KvTier): boolean {
    return (this.#tables.get(tier)?.size ?? 0) > 0;
  }

  /** Number of blocks that one engine holds in a tier. */
  blocksOf(name: string, tier: KvTier = 'GPU'): number {
    return this.#engines.get(name)?.tiers.get(tier)?.hashes.size ?? 0;
  }

  /** The names of a prompt's blocks. A pick needs them twice, so the last ones are kept. */
  #chainOf(tokens: ArrayLike<number>, blockSize: number, scope: ChainScope): Float64Array {
    const root = scopeRoot(scope);
    const last = this.#lastChain;
    if (last?.tokens === tokens && last.blockSize === blockSize && last.root === root) {
      return last.chain;
    }
    const chain = hashTokenChain(tokens, blockSize, root);
    this.#lastChain = { tokens, blockSize, root, chain };
    return chain;
  }

  /** Leading blocks of a chain that each holder has in a tier or a faster one. */
  #countPrefix(
    chain: Float64Array,
    holders: readonly number[],
    tier: KvTier,
    expected: ExpectedBlocks | undefined,
  ): Int32Array {
    const lower = tiers
      .slice(1, tiers.indexOf(tier) + 1)
      .filter((name) => this.knowsTier(name))
      .map((name) => this.#table(name));
    if (expected !== undefined && expected.size > 0) lower.push(expected.table);
    return this.#table('GPU').countPrefix(chain, holders, lower);
  }

  #store(engine: IndexedEngine, event: BlockStoredEvent): void {
    const { blockHashes, blockSize, tokenIds } = event;
    const tier = tierOf(event.medium);
    if (tier === undefined || !this.#isIndexed(engine, event)) {
      this.#ignoredEvents += 1;
      return;
    }
    // Offload tiers announce blocks that the GPU has announced before, by hash alone.
    if (blockSize === 0 || tokenIds.length === 0) {
      for (const hash of blockHashes) {
        const known = this.#known(engine, hash);
        if (known === 0) this.#orphans += 1;
        else this.#hold(engine, tier, hash, known);
      }
      return;
    }
    if (tokenIds.length !== blockHashes.length * blockSize) {
      this.#ignoredEvents += 1;
      return;
    }
    const first = event.parentBlockHash;
    let parent = first === undefined ? adapterRoot(adapterOf(event)) : this.#known(engine, first);
    if (parent === 0) {
      this.#orphans += blockHashes.length;
      return;
    }
    if (tier === 'GPU') engine.blockSize = blockSize;
    if (event.loraName !== undefined) this.#adapters.set(event.loraName, true);
    for (let i = 0; i < blockHashes.length; i++) {
      const keys = ownKeys(event.extraKeys?.[i], event.loraName);
      const seed = withExtraKeys(parent, keys);
      parent = hashTokenBlock(seed, tokenIds, i * blockSize, (i + 1) * blockSize);
      this.#hold(engine, tier, blockHashes[i] as EventBlockHash, parent);
    }
  }

  #remove(engine: IndexedEngine, event: BlockRemovedEvent): void {
    const tier = tierOf(event.medium);
    const otherGroup =
      event.groupIndex !== undefined &&
      engine.groupIndex !== undefined &&
      event.groupIndex !== engine.groupIndex;
    const holding = tier === undefined ? undefined : engine.tiers.get(tier);
    if (tier === undefined || otherGroup || holding === undefined) {
      this.#ignoredEvents += 1;
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
      if (others === 0) this.#table(tier).remove(known, engine.holder);
      else if (others === 1) aliases.delete(known);
      else aliases.set(known, others - 1);
    }
  }

  #hold(engine: IndexedEngine, tier: KvTier, hash: EventBlockHash, ours: ChainHash): void {
    let holding = engine.tiers.get(tier);
    if (holding === undefined) {
      holding = { hashes: new EngineHashTable(), aliases: new Map() };
      engine.tiers.set(tier, holding);
    }
    const { hashes, aliases } = holding;
    const table = this.#table(tier);
    if (tier === 'GPU') {
      for (const expected of this.#expectations) expected.deref()?.confirm(ours, engine.holder);
    }
    split(hash);
    const count = hashes.countOf(high, low);
    if (count > 0) {
      const references = engine.repeats === 'set' ? 1 : count + 1;
      hashes.set(high, low, hashes.hashOf(high, low), references);
      return;
    }
    if (table.has(ours, engine.holder)) {
      aliases.set(ours, (aliases.get(ours) ?? 0) + 1);
    } else if (!table.add(ours, engine.holder)) {
      this.#overflows += 1;
      return;
    }
    hashes.set(high, low, ours, 1);
  }

  /** Our hash of a block that the engine has announced in some tier; 0 if it has not. */
  #known(engine: IndexedEngine, hash: EventBlockHash): ChainHash {
    split(hash);
    for (const { hashes } of engine.tiers.values()) {
      const known = hashes.hashOf(high, low);
      if (known !== 0) return known;
    }
    return 0;
  }

  #isIndexed(engine: IndexedEngine, event: BlockStoredEvent): boolean {
    if (event.cacheSpecKind !== undefined && !indexedKinds.has(event.cacheSpecKind)) return false;
    engine.groupIndex ??= event.groupIndex;
    return event.groupIndex === undefined || event.groupIndex === engine.groupIndex;
  }

  #clearTier(engine: IndexedEngine, tier: KvTier): void {
    const table = this.#table(tier);
    for (const hash of engine.tiers.get(tier)?.hashes.hashes() ?? []) {
      table.remove(hash, engine.holder);
    }
    engine.tiers.delete(tier);
  }

  #engine(name: string, options: KvIndexEngineOptions): IndexedEngine {
    const engine: IndexedEngine = {
      holder: this.#freeHolders.pop() ?? this.#engines.size,
      repeats: options.repeats ?? 'references',
      tiers: new Map(),
      knowledge: 'exact',
      blockSize: 0,
      groupIndex: undefined,
    };
    this.#engines.set(name, engine);
    return engine;
  }

  #table(tier: KvTier): HolderTable {
    let table = this.#tables.get(tier);
    if (table === undefined) {
      table = new HolderTable(this.#options.blocksMax ?? 16 * 1024 * 1024);
      this.#tables.set(tier, table);
    }
    return table;
  }
}

/** Connectors differ in case; engines older than the field mean the GPU. */
function tierOf(medium: string | undefined): KvTier | undefined {
  const name = medium?.toUpperCase() ?? 'GPU';
  return tiers.find((tier) => tier === name);
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
