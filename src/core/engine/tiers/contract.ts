// What lies below the GPU's own KV cache, as the engine model sees it: the scheduler's half of a
// vLLM "KV connector". Native offload, LMCache, an object store or a folder of files are each one
// implementation; several engines on one clock may share what is behind theirs.
import type { BlockKey } from '../../kv/index.ts';
import type { EngineRequest, FinishReason } from '../contract.ts';

/** A request as tiers see it. Only the engine model changes it. */
export interface TieredSequence {
  readonly request: EngineRequest;
  /** Tokens that exist: the prompt and what was sampled. */
  readonly knownTokens: number;
  /** Tokens whose KV is in GPU blocks; during `planned`, before the step that is planned. */
  readonly computedTokens: number;
  /** GPU blocks held, in sequence order. */
  readonly blocks: readonly number[];
  /** Chained key of full block `index`; only for blocks whose tokens are all known. */
  blockKey(index: number): BlockKey;
}

/** Which kind of place served a hit; vLLM's labels of `prompt_tokens_cached_by_source`. */
export type HitSource = 'host' | 'p2p' | 'disk' | 'external_unspecified';

/** Tokens that a tier holds beyond the GPU's own hit. */
export interface TierHit {
  /**
   * Asynchronous: whole blocks, or all that is known; the last known token is then computed anew.
   * Else any number that leaves the last known token.
   */
  readonly tokens: number;
  /** The request waits while they load and others run; else the step that uses them loads them. */
  readonly isAsync: boolean;
  readonly source: HitSource;
  /** How long the load would take if it began now, as far as the tier knows. */
  readonly loadSeconds?: number;
}

/** A step of the engine as it was planned; without sequences when nothing can run. */
export interface TierStep {
  readonly startSeconds: number;
  /** How long it computes. */
  readonly computeSeconds: number;
  readonly sequences: readonly TieredSequence[];
  /** Tokens that each computes, aligned with `sequences`. */
  readonly scheduledTokens: readonly number[];
  readonly preempted: readonly EngineRequest[];
  /** GPU blocks that were given out for it; their former contents are overwritten. */
  readonly allocatedBlocks: readonly number[];
}

/**
 * A tier, or a stack of them, below one engine's KV cache. Times are the engine's clock and never
 * go back, across all engines that share a store.
 *
 * The engine model asks `lookup` before each admission, starts a load with `load`, tells of each
 * step with `planned`, and lets time pass with `advance`; blocks of a sequence that waits for an
 * asynchronous load stay its own until then, also when the request is aborted.
 */
export interface KvConnector {
  /**
   * Tokens that could be loaded after the first `localTokens`, a multiple of the block size.
   *
   * @returns Undefined for "ask again": the request is passed over in this step.
   */
  lookup(sequence: TieredSequence, localTokens: number, nowSeconds: number): TierHit | undefined;
  /** The hit of the last `lookup` of this sequence was accepted, and it has blocks for it. */
  load(sequence: TieredSequence, localTokens: number, hit: TierHit, nowSeconds: number): void;
  /**
   * A step was planned, or found to have nothing to run. Stores begin here.
   *
   * @returns Seconds by which the step takes longer: waiting for copies out of blocks that it
   *   overwrites, loads that are not asynchronous, and the tier's own work.
   */
  planned(step: TierStep): number;
  /**
   * Ends what has ended by now.
   *
   * @returns Sequences whose asynchronous load is done, or whose kept blocks are free now, in order.
   */
  advance(nowSeconds: number): readonly TieredSequence[];
  /** Of a load that `advance` has just answered: nothing came, so what it was to bring is computed. */
  hasFailed?(sequence: TieredSequence): boolean;
  /** A request has ended, however; it still has its blocks during this call. */
  finished(sequence: TieredSequence): void;
  /**
   * Asked after `finished`: do its blocks stay its own until `advance` answers it, since another engine
   * is to read them? vLLM's `delay_free_blocks`.
   */
  keepsBlocks?(sequence: TieredSequence, reason: FinishReason): boolean;
  /**
   * When something ends next that an answer of `lookup` may hang on; Infinity for never. Changes with calls
   * to this connector alone: what engines share makes later transfers wait, never those under way.
   */
  readonly nextSeconds: number;
  /** Forgets all that is stored. @returns False if that is not possible. */
  reset(): boolean;
  readonly stats: TierStats;
}

/** Of one direction, since the start. */
export interface TransferStats {
  readonly transfers: number;
  readonly bytes: number;
  /** Time that the transfers took, queueing not counted. */
  readonly seconds: number;
}

/** A connector now, and since it was made. */
export interface TierStats {
  readonly loads: TransferStats;
  readonly stores: TransferStats;
  /** Stores that found no room and were put off. */
  readonly allocationFailures: number;
  /** Chunks not stored for having been offered too seldom. */
  readonly storesSkipped: number;
  readonly tiers: readonly TierResidency[];
}

/** What one tier holds. */
export interface TierResidency {
  readonly name: string;
  readonly chunks: number;
  readonly chunksMax: number;
  readonly bytes: number;
  /** Shares of the capacity that transfers hold fast. */
  readonly writingShare: number;
  readonly readingShare: number;
}

/** Hears what a connector does, so that KV events and metrics can be made from it. */
export interface TierListener {
  /** Blocks `firstBlock` … of a request are about to be stored as the chunk `key`. */
  storing?(sequence: TieredSequence, firstBlock: number, blockCount: number, key: BlockKey): void;
  /** Chunks became readable in a tier: KV events of its medium. */
  stored?(keys: readonly BlockKey[], medium: 'CPU' | 'STORAGE'): void;
  removed?(keys: readonly BlockKey[], medium: 'CPU' | 'STORAGE'): void;
  transferred?(direction: 'load' | 'store', bytes: number, seconds: number): void;
  /** A lookup was made; `chunks` were asked for. */
  lookedUp?(chunks: number): void;
  /** A request was put off for so long by lookups that could not answer. */
  lookupDelayed?(seconds: number): void;
  /** A store asked for room for so many chunks. */
  allocating?(chunks: number): void;
}
