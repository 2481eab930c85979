// vLLM's native offload: a mirror of full blocks in host memory, written after the steps and read back
// concurrently with them.
import type { BlockKey } from '../../kv/index.ts';
import type { EngineRequest } from '../request.ts';
import { BlockFences } from './block-fences.ts';
import { ChunkPool, type RequestAccess } from './chunk-pool.ts';
import type { ChunkStore } from './chunk-store.ts';
import type {
  KvConnector,
  TieredSequence,
  TierHit,
  TierListener,
  TierStats,
  TierStep,
} from './contract.ts';
import type { NativeOffloadConfig } from './native-offload-config.ts';
import { SecondaryTiers, StoreSearch } from './secondary-tiers.ts';
import { TransferLink } from './transfer-link.ts';
import { type TransferJob, TransferQueue } from './transfer-queue.ts';

export interface NativeOffloadOptions {
  readonly config: NativeOffloadConfig;
  /** Tokens per block of the GPU's cache. */
  readonly blockSize: number;
  /** Whether equal blocks are found in the GPU's cache, so that none is loaded twice. @default true */
  readonly enablePrefixCaching?: boolean;
  /** Stores below host memory, in the order of lookups: a disk, an object store. */
  readonly stores?: readonly ChunkStore[];
  readonly listener?: TierListener;
}

interface RequestState {
  readonly sequence: TieredSequence;
  readonly search: StoreSearch;
  access: RequestAccess;
  /** Chunks from this index on have not been offered yet. */
  nextChunk: number;
  readonly jobs: Set<Job>;
  /** The last store that found no space: up to which chunk, for how many, and the pool's change count then. */
  failed: { readonly end: number; readonly chunks: number; readonly changes: number } | undefined;
  /** Start of the current series of lookups without a result. */
  delayedSince: number | undefined;
}

interface Job extends TransferJob {
  readonly state: RequestState;
  readonly generation: number;
  readonly keys: readonly BlockKey[];
  /** GPU blocks that a store reads; a step that overwrites them has to wait. */
  readonly blocks: readonly number[];
}

/**
 * vLLM's `OffloadingConnector` with a `CPUOffloadingSpec`, for one full-attention group.
 *
 * Each step offers the newly full chunks of its requests; those not in host memory are copied there once
 * the step has ended. The GPU's blocks stay where they are. A request that finds chunks after its local
 * hit waits for their copy, holding its blocks, while others run.
 *
 * @see vllm/distributed/kv_transfer/kv_connector/v1/offloading/scheduler.py
 */
export class NativeOffload implements KvConnector {
  readonly #config: NativeOffloadConfig;
  readonly #blockSize: number;
  readonly #chunkTokens: number;
  readonly #listener: TierListener;
  readonly #pool: ChunkPool;
  readonly #below: SecondaryTiers | undefined;
  readonly #loadLink: TransferLink;
  readonly #loads: TransferQueue<Job>;
  readonly #stores: TransferQueue<Job>;
  readonly #states = new Map<EngineRequest, RequestState>();
  readonly #beingLoaded = new Set<BlockKey>();
  /** Requests that have ended since the last step was planned, with their state at that time. */
  #ended: {
    readonly state: RequestState;
    readonly computedTokens: number;
    readonly blocks: readonly number[];
  }[] = [];
  /** Stores out of the blocks of ended requests. */
  readonly #fences = new BlockFences<Job>();
  readonly #skipsLoading: boolean;
  /** Transfers started before the last reset have chunks that no longer exist. */
  #generation = 0;
  #allocationFailures = 0;
  /** Chunks of the last allocation. */
  #requestedChunks = 0;

  constructor(options: NativeOffloadOptions) {
    const { config, blockSize, enablePrefixCaching = true, stores = [], listener = {} } = options;
    this.#config = config;
    this.#skipsLoading = enablePrefixCaching;
    this.#blockSize = blockSize;
    this.#chunkTokens = blockSize * config.blocksPerChunk;
    this.#listener = listener;
    this.#pool = new ChunkPool({
      ...{ chunksMax: config.chunksMax, eviction: config.eviction },
      storeThreshold: config.storeThreshold,
      ...(config.trackedMax === undefined ? {} : { trackedMax: config.trackedMax }),
      onAllocating: (chunks) => {
        this.#requestedChunks = chunks;
        listener.allocating?.(chunks);
      },
      onStored: (keys) => listener.stored?.(keys, 'CPU'),
      onRemoved: (keys) => listener.removed?.(keys, 'CPU'),
    });
    this.#below = stores.length > 0 ? new SecondaryTiers(stores, this.#pool) : undefined;
    this.#loadLink = new TransferLink(config.link);
    this.#loads = new TransferQueue(this.#loadLink);
    this.#stores = new TransferQueue(new TransferLink(config.link));
  }

  get nextSeconds(): number {
    const below = this.#below?.nextSeconds ?? Number.POSITIVE_INFINITY;
    return Math.min(this.#loads.nextSeconds, this.#stores.nextSeconds, below);
  }

  get stats(): TierStats {
    const pool = this.#pool;
    const share = (chunks: number) => (pool.chunksMax > 0 ? chunks / pool.chunksMax : 0);
    return {
      loads: this.#loads.stats,
      stores: this.#stores.stats,
      allocationFailures: this.#allocationFailures,
      storesSkipped: pool.skipped,
      tiers: [
        {
          ...{ name: 'cpu', chunks: pool.chunks, chunksMax: pool.chunksMax },
          bytes: pool.chunks * this.#config.chunkBytes,
          writingShare: share(pool.writing),
          readingShare: share(pool.reading),
        },
        ...(this.#below?.residencies ?? []),
      ],
    };
  }

  lookup(sequence: TieredSequence, localTokens: number, nowSeconds: number): TierHit | undefined {
    const state = this.#stateOf(sequence);
    // Also waits for its own stores: a preempted request waits until its blocks are copied.
    if (state.jobs.size > 0) return undefined;
    const tokens = this.#matchTokens(state, localTokens, nowSeconds);
    if (tokens === undefined) {
      state.delayedSince ??= nowSeconds;
      return undefined;
    }
    this.#endDelay(state, nowSeconds);
    const source = state.search.source ?? 'host';
    state.search.source = undefined;
    const bytes = (tokens / this.#blockSize) * this.#config.blockBytesPerGpu;
    const loadSeconds = this.#loadLink.estimateSeconds(bytes, nowSeconds);
    return { tokens, isAsync: tokens > 0, source, loadSeconds };
  }

  load(sequence: TieredSequence, localTokens: number, hit: TierHit, nowSeconds: number): void {
    if (hit.tokens === 0) return;
    const state = this.#stateOf(sequence);
    const first = Math.floor(localTokens / this.#chunkTokens);
    const end = Math.ceil((localTokens + hit.tokens) / this.#chunkTokens);
    const keys = this.#keys(sequence, first, end);
    this.#pool.beginLoad(keys, first, state.access);
    if (this.#skipsLoading) for (const key of keys) this.#beingLoaded.add(key);
    state.nextChunk = end;
    state.failed = undefined;
    const blocks = hit.tokens / this.#blockSize;
    const { blockBytes, blockBytesPerGpu } = this.#config;
    const work = { bytes: blocks * blockBytes, linkBytes: blocks * blockBytesPerGpu };
    this.#start(this.#loads, { ...this.#loads.begin(work, nowSeconds), state, keys, blocks: [] });
  }

  planned(step: TierStep): number {
    this.#below?.flush(step.startSeconds);
    const ownSeconds = step.sequences.length > 0 ? this.#config.stepSeconds : 0;
    const waitSeconds = ownSeconds + this.#waitForCopies(step);
    const endSeconds = step.startSeconds + waitSeconds + step.computeSeconds;
    for (const [i, sequence] of step.sequences.entries()) {
      const computed = sequence.computedTokens + (step.scheduledTokens[i] as number);
      this.#store(this.#stateOf(sequence), computed, sequence.blocks, endSeconds);
    }
    const ended = this.#ended;
    this.#ended = [];
    for (const { state, computedTokens, blocks } of ended) {
      const job = this.#store(state, computedTokens, blocks, endSeconds);
      if (job) this.#fences.add(job);
      this.#pool.requestEnded(state.access);
    }
    return waitSeconds;
  }

  advance(nowSeconds: number): readonly TieredSequence[] {
    if (this.nextSeconds > nowSeconds) return [];
    this.#below?.advance(nowSeconds);
    for (const job of this.#stores.takeDone(nowSeconds)) {
      this.#end(job, 'store');
      if (job.generation === this.#generation) {
        this.#pool.endStore(job.keys);
        this.#below?.cascade(job.keys, nowSeconds);
      }
      this.#fences.remove(job);
    }
    return this.#loads.takeDone(nowSeconds).map((job) => {
      this.#end(job, 'load');
      if (job.generation === this.#generation) {
        this.#pool.endLoad(job.keys);
        for (const key of job.keys) this.#beingLoaded.delete(key);
      }
      return job.state.sequence;
    });
  }

  finished(sequence: TieredSequence): void {
    const state = this.#states.get(sequence.request);
    if (state === undefined) return;
    this.#states.delete(sequence.request);
    const { computedTokens } = sequence;
    const hasMore = this.#chunksToOffer(state, computedTokens) > state.nextChunk;
    this.#ended.push({ state, computedTokens, blocks: hasMore ? sequence.blocks.slice() : [] });
    for (const job of state.jobs) this.#fences.add(job);
  }

  reset(): boolean {
    this.#pool.clear();
    this.#below?.reset();
    this.#generation++;
    this.#fences.clear();
    this.#beingLoaded.clear();
    this.#ended = [];
    for (const state of this.#states.values()) {
      state.nextChunk = 0;
      state.access = this.#pool.access();
      state.jobs.clear();
    }
    return true;
  }

  /** @throws {Error} If the pool's counts do not add up. */
  audit(): void {
    this.#pool.audit();
  }

  #stateOf(sequence: TieredSequence): RequestState {
    let state = this.#states.get(sequence.request);
    if (state === undefined) {
      const access = this.#pool.access();
      state = {
        sequence,
        search: new StoreSearch(),
        access,
        nextChunk: 0,
        jobs: new Set(),
        failed: undefined,
        delayedSince: undefined,
      };
      this.#states.set(sequence.request, state);
    }
    return state;
  }

  /** The key of a chunk is that of its last block. */
  #keys(sequence: TieredSequence, first: number, end: number): BlockKey[] {
    const { blocksPerChunk } = this.#config;
    const keys: BlockKey[] = [];
    for (let i = first; i < end; i++) keys.push(sequence.blockKey((i + 1) * blocksPerChunk - 1));
    return keys;
  }

  /** Tokens of whole chunks after the local hit; undefined while some of them are in transfer. */
  #matchTokens(state: RequestState, localTokens: number, nowSeconds: number): number | undefined {
    const { sequence } = state;
    const tokens = this.#chunkTokens;
    const { blocksPerChunk } = this.#config;
    const end = Math.floor(sequence.knownTokens / tokens);
    if (end * tokens - localTokens < tokens) return 0;
    const first = Math.floor(localTokens / tokens);
    let isPending = false;
    let chunk = first;
    for (; chunk < end; chunk++) {
      const key = sequence.blockKey((chunk + 1) * blocksPerChunk - 1);
      let found = this.#pool.lookup(key);
      if (found === 'miss') found = this.#below?.find(key, chunk, state, nowSeconds) ?? 'miss';
      if (found === 'miss') break;
      // Loading it again would only make a second copy: the request ahead loads it.
      if (found === 'pending' || this.#beingLoaded.has(key)) isPending = true;
    }
    this.#listener.lookedUp?.(chunk - first);
    const matched = chunk * tokens - localTokens;
    if (chunk === first || matched < tokens) return 0;
    return isPending ? undefined : matched;
  }

  #endDelay(state: RequestState, nowSeconds: number): void {
    if (state.delayedSince === undefined) return;
    this.#listener.lookupDelayed?.(nowSeconds - state.delayedSince);
    state.delayedSince = undefined;
  }

  /** Chunks of a request, from its start, that may be stored once this many tokens are computed. */
  #chunksToOffer({ sequence }: RequestState, computedTokens: number): number {
    const { promptTokens } = sequence.request;
    const known = this.#config.promptOnly ? promptTokens : sequence.knownTokens;
    return Math.floor(Math.min(computedTokens, known) / this.#chunkTokens);
  }

  #store(
    state: RequestState,
    computedTokens: number,
    gpuBlocks: readonly number[],
    readySeconds: number,
  ): Job | undefined {
    const first = state.nextChunk;
    const end = this.#chunksToOffer(state, computedTokens);
    if (end <= first) return undefined;
    // A decode offers the same chunks again in each step; offers matter only with a threshold.
    const { failed } = state;
    const isSame = failed?.end === end && failed.changes === this.#pool.changes;
    if (isSame && this.#config.storeThreshold < 2) {
      this.#listener.allocating?.(failed.chunks);
      this.#allocationFailures++;
      return undefined;
    }
    const offered = this.#keys(state.sequence, first, end);
    const keys = this.#pool.beginStore(offered, first, state.access);
    if (keys === undefined) {
      this.#allocationFailures++;
      state.failed = { end, chunks: this.#requestedChunks, changes: this.#pool.changes };
      return undefined;
    }
    state.nextChunk = end;
    if (keys.length === 0) return undefined;
    this.#announce(state.sequence, first, offered, keys);
    const { blocksPerChunk, blockBytes, blockBytesPerGpu } = this.#config;
    const count = keys.length * blocksPerChunk;
    const work = { bytes: count * blockBytes, linkBytes: count * blockBytesPerGpu };
    const blocks = gpuBlocks.slice(first * blocksPerChunk, end * blocksPerChunk);
    return this.#start(this.#stores, {
      ...this.#stores.begin(work, readySeconds),
      ...{ state, keys, blocks },
    });
  }

  /** The offered chunks that are stored; both in the order of the prompt. */
  #announce(
    sequence: TieredSequence,
    first: number,
    offered: readonly BlockKey[],
    stored: readonly BlockKey[],
  ): void {
    const { storing } = this.#listener;
    if (storing === undefined) return;
    const { blocksPerChunk } = this.#config;
    let next = 0;
    for (const [i, key] of offered.entries()) {
      if (key !== stored[next]) continue;
      next++;
      storing(sequence, (first + i) * blocksPerChunk, blocksPerChunk, key);
    }
  }

  #start(queue: TransferQueue<Job>, work: Omit<Job, 'generation'>): Job {
    const job = { ...work, generation: this.#generation };
    queue.add(job);
    job.state.jobs.add(job);
    return job;
  }

  #end(job: Job, direction: 'load' | 'store'): void {
    job.state.jobs.delete(job);
    this.#listener.transferred?.(direction, job.bytes, job.seconds);
  }

  /**
   * Seconds until all copies are done whose source this step overwrites, or whose request lost its
   * blocks.
   */
  #waitForCopies({ startSeconds, preempted, allocatedBlocks }: TierStep): number {
    let endSeconds = startSeconds;
    for (const request of preempted) {
      for (const job of this.#states.get(request)?.jobs ?? []) {
        if (job.blocks.length > 0) endSeconds = Math.max(endSeconds, job.endSeconds);
      }
    }
    endSeconds = Math.max(endSeconds, this.#fences.endSeconds(allocatedBlocks));
    return endSeconds - startSeconds;
  }
}
