// An index of the KV blocks of all engines, according to the engines' own events.
import { LruMap } from '../base/index.ts';
import type { KvEvent } from '../protocol/index.ts';
import { type ChainHash, hashTokenChain } from './chain-hash.ts';
import { type ChainScope, scopeRoot } from './chain-scope.ts';
import { EngineBlocks, type KvIndexEngineOptions, type KvKnowledge } from './engine-blocks.ts';
import { Expectations, type ExpectedBlocks, type ExpectedPrompt } from './expected-blocks.ts';
import { type KvTier, TierTables } from './tier-tables.ts';

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

/** Maximum number of adapter names; beyond it, the least recent one is forgotten. */
const adaptersMax = 4096;

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
  readonly #engines = new Map<string, EngineBlocks>();
  readonly #tables: TierTables;
  readonly #expectations = new Expectations();
  readonly #freeHolders: number[] = [];
  readonly #adapters = new LruMap<string, true>({ entriesMax: adaptersMax });
  readonly #counts = { orphans: 0, overflows: 0, ignoredEvents: 0 };
  #lastChain:
    | {
        readonly tokens: ArrayLike<number>;
        readonly blockSize: number;
        readonly root: ChainHash;
        readonly chain: Float64Array;
      }
    | undefined;

  constructor(options: KvIndexOptions = {}) {
    this.#options = options;
    this.#tables = new TierTables(options.blocksMax ?? 16 * 1024 * 1024);
  }

  /** Adds an engine with options; `apply` adds unknown ones with defaults. */
  addEngine(name: string, options: KvIndexEngineOptions = {}): void {
    if (!this.#engines.has(name)) this.#engine(name, options);
  }

  /** Removes an engine. */
  removeEngine(name: string): void {
    const engine = this.#engines.get(name);
    if (engine === undefined) return;
    engine.clear();
    this.#engines.delete(name);
    this.#freeHolders.push(engine.holder);
  }

  /** Removes all blocks of an engine that restarted, or whose events were lost for good. */
  clear(name: string): void {
    this.#engines.get(name)?.clear();
  }

  /** Applies the events of one batch in order. */
  apply(name: string, events: readonly KvEvent[]): void {
    const engine = this.#engines.get(name) ?? this.#engine(name, {});
    for (const event of events) engine.apply(event);
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
      const counts = this.#tables.countPrefix(chain, holders, tier, expected);
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
    return this.#expectations.create(this.#options.expectedBlocksMax);
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
    const gpu = this.#tables.table('GPU');
    const missing = Array.from(chain).filter((hash) => !gpu.has(hash, engine.holder));
    return missing.length === 0 ? undefined : expected.add(engine.holder, missing);
  }

  get stats(): KvIndexStats {
    let holdings = 0;
    let { bytes } = this.#tables;
    for (const { footprint } of this.#engines.values()) {
      holdings += footprint.holdings;
      bytes += footprint.bytes;
    }
    const blocks = this.#tables.sizeOf('GPU');
    return { engines: this.#engines.size, blocks, holdings, bytes, ...this.#counts };
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
    return this.#tables.sizeOf(tier) > 0;
  }

  /** Number of blocks that one engine holds in a tier. */
  blocksOf(name: string, tier: KvTier = 'GPU'): number {
    return this.#engines.get(name)?.sizeOf(tier) ?? 0;
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

  #engine(name: string, options: KvIndexEngineOptions): EngineBlocks {
    const holder = this.#freeHolders.pop() ?? this.#engines.size;
    const shared = {
      ...{ tables: this.#tables, expectations: this.#expectations },
      ...{ adapters: this.#adapters, counts: this.#counts },
    };
    const engine = new EngineBlocks(holder, shared, options);
    this.#engines.set(name, engine);
    return engine;
  }
}
