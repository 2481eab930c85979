// The tiers below the GPU's own KV cache, as the engine model sees them: the scheduler's half of a vLLM
// "KV connector". Native offload, LMCache, an object store or a folder of files are each one
// implementation; several engines on one clock may share the stores behind theirs.
import type { BlockKey } from '../../kv/index.ts';
import type { EngineRequest, FinishReason } from '../request.ts';

/** A request as tiers see it. Only the engine model changes it. */
export interface TieredSequence {
  readonly request: EngineRequest;
  /** Tokens that exist: the prompt and the sampled tokens. */
  readonly knownTokens: number;
  /** Tokens whose KV is in GPU blocks; during `planned`, before the planned step. */
  readonly computedTokens: number;
  /** GPU blocks held, in sequence order. */
  readonly blocks: readonly number[];
  /** Chained key of full block `index`; only for blocks whose tokens are all known. */
  blockKey(index: number): BlockKey;
}

/** The kind of store that served a hit; vLLM's labels of `prompt_tokens_cached_by_source`. */
export type HitSource = 'host' | 'p2p' | 'disk' | 'external_unspecified';

/** Tokens that a tier holds beyond the GPU's own hit. */
export interface TierHit {
  /**
   * Asynchronous: whole blocks, or all known tokens; the last known token is then computed again.
   * Otherwise any number that leaves the last known token.
   */
  readonly tokens: number;
  /**
   * Whether the request waits during the load while others run; otherwise the step that uses the tokens
   * loads them.
   */
  readonly isAsync: boolean;
  readonly source: HitSource;
  /** How long the load would take if it started now, as far as the tier can tell. */
  readonly loadSeconds?: number;
}

/** A part of a prompt that would be loaded from one store; it begins where the run before ends. */
export interface HeldRun {
  readonly source: HitSource;
  /** Its end, in tokens from the start of the prompt. */
  readonly endTokens: number;
}

/** A planned step of the engine; without sequences when nothing can run. */
export interface TierStep {
  readonly startSeconds: number;
  /** Duration of the step. */
  readonly computeSeconds: number;
  readonly sequences: readonly TieredSequence[];
  /** Tokens that each sequence computes, aligned with `sequences`. */
  readonly scheduledTokens: readonly number[];
  readonly preempted: readonly EngineRequest[];
  /** GPU blocks that were allocated for it; their former contents are overwritten. */
  readonly allocatedBlocks: readonly number[];
}

/**
 * A tier, or a stack of tiers, below one engine's KV cache. Times are on the engine's clock and never go
 * back, across all engines that share a store.
 *
 * The engine model calls `lookup` before each admission, starts a load with `load`, reports each step
 * with `planned`, and lets time pass with `advance`; a sequence that waits for an asynchronous load keeps
 * its blocks until then, even if the request is aborted.
 */
export interface KvConnector {
  /**
   * Number of tokens that can be loaded after the first `localTokens`, a multiple of the block size.
   *
   * @returns Undefined for "try again": the request is skipped in this step.
   */
  lookup(sequence: TieredSequence, localTokens: number, nowSeconds: number): TierHit | undefined;
  /** The hit of the last `lookup` of this sequence was accepted, and blocks are allocated for it. */
  load(sequence: TieredSequence, localTokens: number, hit: TierHit, nowSeconds: number): void;
  /**
   * A step was planned, or found to have nothing to run. Stores start here.
   *
   * @returns Seconds that are added to the step: waiting for copies out of blocks that it overwrites,
   *   loads that are not asynchronous, and the tier's own work.
   */
  planned(step: TierStep): number;
  /**
   * Completes the transfers that have ended by now.
   *
   * @returns Sequences whose asynchronous load is done, or whose kept blocks are now free, in order.
   */
  advance(nowSeconds: number): readonly TieredSequence[];
  /** For a load that `advance` has just returned: it failed, so its tokens have to be computed. */
  hasFailed?(sequence: TieredSequence): boolean;
  /** A request has ended, for any reason; it still has its blocks during this call. */
  finished(sequence: TieredSequence): void;
  /**
   * Called after `finished`: whether it keeps its blocks until `advance` returns it, because another
   * engine is to read them. vLLM's `delay_free_blocks`.
   */
  keepsBlocks?(sequence: TieredSequence, reason: FinishReason): boolean;
  /**
   * When the next event happens that may change a result of `lookup`; Infinity for never. Changes only
   * with calls to this connector: shared stores delay later transfers, never those in progress.
   */
  readonly nextSeconds: number;
  /** Forgets everything that is stored. @returns False if that is not possible. */
  reset(): boolean;
  /**
   * What a prompt would find, without looking it up: what LMCache tells its controller.
   *
   * @param keyOf Keys of the prompt's full blocks.
   */
  leading?(
    keyOf: (block: number) => BlockKey,
    promptTokens: number,
    nowSeconds: number,
  ): readonly HeldRun[];
  /** Time to load one token from a store, on an idle link; undefined if there is no such store. */
  loadSecondsPerToken?(source: HitSource): number | undefined;
  readonly stats: TierStats;
}

/** Transfers in one direction, since the start. */
export interface TransferStats {
  readonly transfers: number;
  readonly bytes: number;
  /** Duration of the transfers, excluding queueing. */
  readonly seconds: number;
}

/**
 * A store below the host memory of LMCache. Times are on the engine's clock; a store outside this process, which has to be
 * asked first, has `prepare`.
 */
export interface LmcacheStore {
  /** Latency of a lookup of one chunk. */
  readonly lookupSeconds: number;
  /** Latency of a request that asks for all chunks of a prompt. @default 0 */
  readonly promptLookupSeconds?: number;
  /** Whether chunks that are read here stay in host memory. @default true */
  readonly keepsReads?: boolean;
  /** The label of a hit here in vLLM's metrics. */
  readonly source: HitSource;
  readonly residencies: readonly TierResidency[];
  /**
   * Asks for chunks, up to the first that is missing, and brings those from `firstNeeded` on here.
   *
   * @returns False while that is in progress; `has` has the result.
   */
  prepare?(keys: readonly BlockKey[], firstNeeded: number, nowSeconds: number): boolean;
  has(key: BlockKey, nowSeconds: number): boolean;
  /** How long a read of available chunks would take if it started now. */
  readSeconds(keys: readonly BlockKey[], nowSeconds: number): number;
  /** Reads available chunks. @returns When the last of them has arrived. */
  read(keys: readonly BlockKey[], nowSeconds: number): number;
  /** Writes chunks in the background. @returns When the last of them is stored; undefined if nothing was sent. */
  write(keys: readonly BlockKey[], nowSeconds: number): number | undefined;
  /** Whether `follows` makes a difference. */
  readonly usesChains?: boolean;
  /** A chunk comes behind another one of its prompt. */
  follows?(key: BlockKey, before: BlockKey): void;
  /** Sends what is due by now. */
  advance?(nowSeconds: number): void;
  /** Time to read one chunk on an idle link, without latency. */
  readonly chunkReadSeconds?: number;
  /** When the next chunk is to be sent; Infinity for none. */
  readonly nextSeconds?: number;
  clear(): void;
}

/** A connector's current state, and its counters since creation. */
export interface TierStats {
  readonly loads: TransferStats;
  readonly stores: TransferStats;
  /** Stores that found no space and were postponed. */
  readonly allocationFailures: number;
  /** Chunks not stored because they were offered too rarely. */
  readonly storesSkipped: number;
  readonly tiers: readonly TierResidency[];
}

/** Contents of one tier. */
export interface TierResidency {
  readonly name: string;
  readonly chunks: number;
  readonly chunksMax: number;
  readonly bytes: number;
  /** Shares of the capacity that transfers pin. */
  readonly writingShare: number;
  readonly readingShare: number;
}

/** Receives a connector's events, so that KV events and metrics can be made from them. */
export interface TierListener {
  /** LMCache is about to look up the chunks of a request. */
  lookingUp?(sequence: TieredSequence): void;
  /** Everything was dropped on request. */
  emptied?(): void;
  /** Blocks `firstBlock` … of a request are about to be stored as the chunk `key`. */
  storing?(sequence: TieredSequence, firstBlock: number, blockCount: number, key: BlockKey): void;
  /** Chunks became readable in a tier: KV events of its medium. */
  stored?(keys: readonly BlockKey[], medium: 'CPU' | 'STORAGE'): void;
  removed?(keys: readonly BlockKey[], medium: 'CPU' | 'STORAGE'): void;
  transferred?(direction: 'load' | 'store', bytes: number, seconds: number): void;
  /** A lookup was made; `chunks` is the number of chunks looked up. */
  lookedUp?(chunks: number): void;
  /** A request was postponed for this long by lookups without a result. */
  lookupDelayed?(seconds: number): void;
  /** A store requested space for this many chunks. */
  allocating?(chunks: number): void;
}
