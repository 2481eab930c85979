// What goes into the engine model and what comes out: requests, steps, their cost, and what a
// listener hears. All times are seconds on the caller's clock.
import type { BlockKey, BlockObserver } from '../kv/index.ts';
import type { HitSource, TierStats } from './tiers/contract.ts';

/** One sequence to generate. `n` > 1 is as many requests. */
export interface EngineRequest {
  readonly id: string;
  readonly promptTokens: number;
  /** Output tokens after which the request ends, at least 1. */
  readonly maxTokens: number;
  /** Lower is more urgent; used by the priority policy only. */
  readonly priority: number;
  readonly arrivalSeconds: number;
  /** LoRA adapter that it needs; a step has at most `maxLoras` of them. */
  readonly adapterId?: number | undefined;
  /** Whether the listener hears of the blocks that each lookup finds. @default false */
  readonly reportsHits?: boolean | undefined;
  /**
   * Chained key of full block `index`, prompt tokens first, then output tokens. Asked at most once
   * per block, and only once all tokens of that block are known.
   */
  blockKey(index: number): BlockKey;
}

/** Why a request left the engine; the words of vLLM's `finish_reason`. */
export type FinishReason = 'stop' | 'length' | 'abort';

/** Hears what the engine does, in vLLM's order, so that KV events can be made from it exactly. */
export interface EngineListener {
  /** Blocks `firstBlockIndex` … of a request are now findable: one vLLM `BlockStored`. */
  blocksStored?(request: EngineRequest, firstBlockIndex: number, blockCount: number): void;
  /** A lookup found the first blocks of a request that `reportsHits`, each time it is made. */
  blocksFound?(request: EngineRequest, blockCount: number): void;
  /** A cached block was given to somebody else: one vLLM `BlockRemoved`. */
  blockRemoved?(key: BlockKey): void;
  allBlocksCleared?(): void;
  /** Hears what becomes of each block of the pool. */
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
   * The caches were asked, with the result that will be used: at admission, or before an asynchronous
   * load. `external` is undefined without a connector.
   */
  lookedUp?(lookup: CacheLookup): void;
  preempted?(request: EngineRequest): void;
  /** Back in the running batch after a preemption; prompt and output so far count as prompt. */
  resumed?(request: EngineRequest, cachedTokens: number, nowSeconds: number): void;
  /** The request has left and holds no block. */
  finished?(request: EngineRequest, reason: FinishReason): void;
}

/** What the caches answered for one request. */
export interface CacheLookup {
  readonly request: EngineRequest;
  /** Tokens asked for. */
  readonly tokens: number;
  readonly localTokens: number;
  readonly external: { readonly tokens: number; readonly source: HitSource } | undefined;
  /** After a preemption; vLLM's counters leave these out. */
  readonly isRepeated: boolean;
}

/** What one step computes: all that a cost model needs to know. */
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

/** How long a step takes. Pure: equal loads, equal times. */
export interface StepCostModel {
  /** Seconds from the start of scheduling the step to its tokens, > 0 unless free by intent. */
  stepSeconds(load: StepLoad): number;
  /**
   * The same for steps that differ in `decodeContextTokens` alone, as a function of that: in a run of
   * decodes all other parts of the step are worked out once. Optional.
   */
  byContext?(load: StepLoad): (decodeContextTokens: number) => number;
}

/** How long a step takes that all cores of an engine take together. Pure. */
export interface LockstepCostModel {
  /** @param loads Of the cores that compute; the others wait. At least one. */
  stepSeconds(loads: readonly StepLoad[]): number;
}

/** One planned step, or a run of them: computing from `startSeconds`, done at `endSeconds`. */
export interface EngineStep {
  readonly startSeconds: number;
  readonly endSeconds: number;
  /** When each step of the run ends; of a single step `endSeconds` alone. */
  readonly endsSeconds: readonly number[];
  /** Of the first step. */
  readonly load: StepLoad;
  /** The requests that compute, in scheduling order. */
  readonly requests: readonly EngineRequest[];
  /** Tokens that each computes, aligned with `requests`. */
  readonly scheduledTokens: readonly number[];
  /** Preempted while planning, in order. */
  readonly preempted: readonly EngineRequest[];
}

/** The engine now, and since it was made. */
export interface EngineStats {
  readonly running: number;
  /** Those that wait for a tier included. */
  readonly waiting: number;
  /** Of those waiting, the ones that no room would help: they wait for a tier, or for an adapter's place. */
  readonly deferred: number;
  /** Of those waiting, the ones that found their prompt in a tier but no blocks to load it into. */
  readonly waitingToLoad: number;
  /** Of those waiting, the ones with a load under way. */
  readonly loading: number;
  /** Of those waiting, the ones whose load is done. */
  readonly loaded: number;
  /** Blocks held by requests, vLLM's null block not counted. */
  readonly blocksUsed: number;
  /** All blocks, the null block included (vLLM's `num_gpu_blocks`). */
  readonly blocksTotal: number;
  /** Share of the blocks in use, the null block not counted: vLLM's `kv_cache_usage_perc`. */
  readonly kvUsage: number;
  /** Tokens of requests looked up, at first admission only. */
  readonly prefixCacheQueries: number;
  /** Tokens found of `prefixCacheQueries`. */
  readonly prefixCacheHits: number;
  /** Tokens that tiers were asked for: those after the local hit, at first admission only. */
  readonly externalCacheQueries: number;
  /** Tokens found of `externalCacheQueries`. */
  readonly externalCacheHits: number;
  /** Tokens that tiers gave back to requests after a preemption, which the hits do not count. */
  readonly restoredTokens: number;
  /** Of the connector; undefined without one. */
  readonly tiers: TierStats | undefined;
  readonly preemptions: number;
  readonly steps: number;
  /** Tokens computed, recomputed ones included. */
  readonly scheduledTokens: number;
  /** Tokens sampled. */
  readonly outputTokens: number;
  readonly finished: number;
  readonly aborted: number;
}
