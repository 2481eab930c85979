// Inputs and outputs of the engine model: requests, steps, their cost, and the events that a listener
// receives. All times are seconds on the caller's clock.

import type { BlockKey, BlockObserver } from '../kv/index.ts';
import type { EngineRequest, FinishReason } from './request.ts';
import type { HitSource, TierStats } from './tiers/contract.ts';

/** Receives the engine's events, in vLLM's order, so that KV events can be made from them exactly. */
export interface EngineListener {
  /** Blocks `firstBlockIndex` … of a request are now findable: one vLLM `BlockStored`. */
  blocksStored?(request: EngineRequest, firstBlockIndex: number, blockCount: number): void;
  /** Called each time a lookup finds the first blocks of a request with `reportsHits`. */
  blocksFound?(request: EngineRequest, blockCount: number): void;
  /** A cached block was given to another request: one vLLM `BlockRemoved`. */
  blockRemoved?(key: BlockKey): void;
  allBlocksCleared?(): void;
  /** Receives what happens to each block of the pool. */
  readonly blocks?: BlockObserver | undefined;
  /**
   * First admission only. `cachedTokens` of the prompt were found, `externalTokens` of them in a tier
   * below the GPU.
   */
  admitted?(
    request: EngineRequest,
    cachedTokens: number,
    nowSeconds: number,
    externalTokens: number,
  ): void;
  /**
   * The caches were looked up, with the result that will be used: at admission, or before an asynchronous
   * load. `external` is undefined without a connector.
   */
  lookedUp?(lookup: CacheLookup): void;
  preempted?(request: EngineRequest): void;
  /**
   * Called when it is back in the running batch after a preemption; prompt and output so far count
   * as prompt.
   */
  resumed?(request: EngineRequest, cachedTokens: number, nowSeconds: number): void;
  /** Called when the request has left and holds no blocks. */
  finished?(request: EngineRequest, reason: FinishReason): void;
}

/** The result of a cache lookup for one request. */
export interface CacheLookup {
  readonly request: EngineRequest;
  /** Tokens looked up. */
  readonly tokens: number;
  readonly localTokens: number;
  readonly external: { readonly tokens: number; readonly source: HitSource } | undefined;
  /** Whether this lookup follows a preemption; vLLM's counters exclude these. */
  readonly isRepeated: boolean;
}

/** What one step computes: everything that a cost model needs. */
export interface StepLoad {
  /** Requests in the step; each one's last position goes through the output layer. */
  readonly sequences: number;
  /** Tokens in the step. */
  readonly tokens: number;
  /** Tokens of the requests that compute more than one. */
  readonly prefillTokens: number;
  /** Σ chunk · context over those requests; context = tokens computed before the step. */
  readonly prefillTokenContext: number;
  /** Σ chunk² over those requests. */
  readonly prefillTokensSquared: number;
  /** Requests that compute one token. */
  readonly decodeSequences: number;
  /** Σ context over those requests. */
  readonly decodeContextTokens: number;
}

/** Duration of a step. Pure: equal loads, equal times. */
export interface StepCostModel {
  /** Seconds from the start of scheduling the step to its tokens, > 0 unless free by intent. */
  stepSeconds(load: StepLoad): number;
  /**
   * The same for steps that differ in `decodeContextTokens` alone, as a function of that: in a run of
   * decodes all other parts of the step are computed once. Optional.
   */
  byContext?(load: StepLoad): (decodeContextTokens: number) => number;
}

/** Duration of a step that all cores of an engine execute together. Pure. */
export interface LockstepCostModel {
  /** @param loads Loads of the cores that compute; the others wait. At least one. */
  stepSeconds(loads: readonly StepLoad[]): number;
}

/** One planned step, or a run of steps: starts at `startSeconds`, ends at `endSeconds`. */
export interface EngineStep {
  readonly startSeconds: number;
  readonly endSeconds: number;
  /** When each step of the run ends; for a single step only `endSeconds`. */
  readonly endsSeconds: readonly number[];
  /** Load of the first step. */
  readonly load: StepLoad;
  /** The requests that compute, in scheduling order. */
  readonly requests: readonly EngineRequest[];
  /** Tokens that each computes, aligned with `requests`. */
  readonly scheduledTokens: readonly number[];
  /** Preempted while planning, in order. */
  readonly preempted: readonly EngineRequest[];
}

/** The engine's current state, and its counters since creation. */
export interface EngineStats {
  readonly running: number;
  /** Waiting requests, including those that wait for a tier. */
  readonly waiting: number;
  /** Waiting requests that more free blocks would not help: they wait for a tier, or for a LoRA slot. */
  readonly deferred: number;
  /** Waiting requests that found their prompt in a tier but no blocks to load it into. */
  readonly waitingToLoad: number;
  /** Waiting requests with a load in progress. */
  readonly loading: number;
  /** Waiting requests whose load is done. */
  readonly loaded: number;
  /** Blocks held by requests, excluding vLLM's null block. */
  readonly blocksUsed: number;
  /** All blocks, including the null block (vLLM's `num_gpu_blocks`). */
  readonly blocksTotal: number;
  /** Share of the blocks in use, excluding the null block: vLLM's `kv_cache_usage_perc`. */
  readonly kvUsage: number;
  /** Tokens of requests looked up, at first admission only. */
  readonly prefixCacheQueries: number;
  /** Tokens of `prefixCacheQueries` that were found. */
  readonly prefixCacheHits: number;
  /** Tokens looked up in tiers: those after the local hit, at first admission only. */
  readonly externalCacheQueries: number;
  /** Tokens of `externalCacheQueries` that were found. */
  readonly externalCacheHits: number;
  /** Tokens that tiers restored to requests after a preemption, which the hits do not count. */
  readonly restoredTokens: number;
  /** Tokens of prompts and responses computed again after a preemption. */
  readonly recomputedAfterPreemption: number;
  /** Tokens of prompts computed again because their blocks were evicted, in whole blocks; undefined: not counted. */
  readonly recomputedAfterEviction: number | undefined;
  /** Counters of the connector; undefined without one. */
  readonly tiers: TierStats | undefined;
  readonly preemptions: number;
  readonly steps: number;
  /** Tokens computed, including recomputed ones. */
  readonly scheduledTokens: number;
  /** Tokens sampled. */
  readonly outputTokens: number;
  readonly finished: number;
  readonly aborted: number;
}
