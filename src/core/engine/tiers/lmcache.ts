// LMCache as vLLM's in-process connector: chunks of 256 tokens in host memory, and below that in stores
// that engines may share.
import type { BlockKey } from '../../kv/index.ts';
import type { EngineRequest } from '../request.ts';
import type {
  HeldRun,
  KvConnector,
  LmcacheStore,
  TieredSequence,
  TierHit,
  TierListener,
  TierStats,
  TierStep,
  TransferStats,
} from './contract.ts';
import { HostMemory } from './host-memory.ts';
import type { TransferLinkOptions } from './transfer-link.ts';

export interface LmcacheConfig {
  /** GPU blocks per chunk: 256 tokens. */
  readonly blocksPerChunk: number;
  /** Size of a chunk, summed over the engine's GPUs, and the part that crosses the link of one GPU. */
  readonly chunkBytes: number;
  readonly chunkBytesPerGpu: number;
  /** Chunks that fit in host memory (`max_local_cpu_size`). */
  readonly localChunksMax: number;
  /** The link between one GPU and host memory, in one direction. */
  readonly link: TransferLinkOptions;
  /** Host time of one lookup: hashing the prompt's chunks and a request to the worker. */
  readonly lookupSeconds: number;
  /** Time added to each step, whatever it moves. */
  readonly stepSeconds: number;
}

export interface LmcacheOptions {
  readonly config: LmcacheConfig;
  /** Tokens per block of the GPU's cache. */
  readonly blockSize: number;
  /** Stores below host memory, nearest first: a disk, a shared server, an object store. */
  readonly stores?: readonly LmcacheStore[];
  readonly listener?: TierListener;
}

interface Load {
  readonly sequence: TieredSequence;
  readonly firstChunk: number;
  readonly endChunk: number;
}

/**
 * The default behaviour of `LMCacheConnectorV1`: a lookup of whole chunks from the start of the prompt,
 * loads within the step that uses them, which lengthen it, and stores of new prompt chunks at the end of
 * the step, which waits for the copy into host memory; the stores below are written in the background.
 * The whole batch pays for the load of one request: this is the overhead of misses and hits.
 *
 * @see https://github.com/LMCache/LMCache, lmcache/integration/vllm/vllm_v1_adapter.py: `start_load_kv`,
 *   `wait_for_save`; `save_decode_cache`, `save_unfull_chunk` and `enable_async_loading` are off
 */
export class Lmcache implements KvConnector {
  readonly #config: LmcacheConfig;
  readonly #chunkTokens: number;
  readonly #stores: readonly LmcacheStore[];
  /** Those whose evictions depend on the order of chunks. */
  readonly #chained: readonly LmcacheStore[];
  readonly #listener: TierListener;
  readonly #local: HostMemory | undefined;
  /** Chunks of each request that need no further store. */
  readonly #saved = new Map<EngineRequest, number>();
  #loads: Load[] = [];
  /** Time of the lookups since the last step. */
  #lookupSeconds = 0;
  #loaded: TransferStats = { transfers: 0, bytes: 0, seconds: 0 };
  #stored: TransferStats = { transfers: 0, bytes: 0, seconds: 0 };

  constructor({ config, blockSize, stores = [], listener = {} }: LmcacheOptions) {
    this.#config = config;
    this.#chunkTokens = blockSize * config.blocksPerChunk;
    this.#stores = stores;
    this.#chained = stores.filter(({ usesChains }) => usesChains === true);
    this.#listener = listener;
    const chunksMax = config.localChunksMax;
    const onEvict = (key: BlockKey) => listener.removed?.([key], 'CPU');
    this.#local = chunksMax >= 1 ? new HostMemory(chunksMax, onEvict) : undefined;
  }

  /** When a store outside this process is to be sent chunks. */
  get nextSeconds(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { nextSeconds = next } of this.#stores) next = Math.min(next, nextSeconds);
    return next;
  }

  get stats(): TierStats {
    const { localChunksMax, chunkBytes } = this.#config;
    const chunks = this.#local?.size ?? 0;
    return {
      ...{ loads: this.#loaded, stores: this.#stored, allocationFailures: 0, storesSkipped: 0 },
      tiers: [
        {
          ...{ name: 'cpu', chunks, chunksMax: localChunksMax, bytes: chunks * chunkBytes },
          ...{ writingShare: 0, readingShare: 0 },
        },
        ...this.#stores.flatMap(({ residencies }) => residencies),
      ],
    };
  }

  lookup(sequence: TieredSequence, localTokens: number, nowSeconds: number): TierHit | undefined {
    this.#local?.passTime(nowSeconds);
    this.#listener.lookingUp?.(sequence);
    if (!this.#prepare(sequence, localTokens, nowSeconds)) return undefined;
    // The result for a waiting request is kept: it is looked up once.
    const isFirst = !this.#saved.has(sequence.request);
    let lookupSeconds = this.#config.lookupSeconds;
    const end = Math.floor(sequence.knownTokens / this.#chunkTokens);
    let source: TierHit['source'] = 'host';
    const below = new Map<LmcacheStore, BlockKey[]>();
    const asked = new Set<LmcacheStore>();
    let chunk = 0;
    for (; chunk < end; chunk++) {
      const key = this.#key(sequence, chunk);
      if (this.#local?.has(key)) continue;
      // One request per chunk, to one store after the other.
      const holder = this.#stores.find((store) => {
        if (!asked.has(store)) lookupSeconds += store.promptLookupSeconds ?? 0;
        asked.add(store);
        lookupSeconds += store.lookupSeconds;
        return store.has(key, nowSeconds);
      });
      if (holder === undefined) break;
      source = holder.source;
      const keys = below.get(holder);
      if (keys) keys.push(key);
      else below.set(holder, [key]);
    }
    if (isFirst) this.#lookupSeconds += lookupSeconds;
    this.#listener.lookedUp?.(chunk);
    this.#saved.set(sequence.request, chunk);
    // The last token is always computed, for its logits.
    const found = Math.min(chunk * this.#chunkTokens, sequence.knownTokens - 1);
    const tokens = Math.max(0, found - localTokens);
    return {
      tokens,
      isAsync: false,
      source,
      loadSeconds: this.#estimate(tokens, below, nowSeconds),
    };
  }

  leading(
    keyOf: (block: number) => BlockKey,
    promptTokens: number,
    nowSeconds: number,
  ): readonly HeldRun[] {
    const runs: { source: HeldRun['source']; endTokens: number }[] = [];
    const { blocksPerChunk } = this.#config;
    for (let end = 1; end * this.#chunkTokens <= promptTokens; end++) {
      const key = keyOf(end * blocksPerChunk - 1);
      const source = this.#local?.has(key)
        ? 'host'
        : this.#stores.find((store) => store.has(key, nowSeconds))?.source;
      if (source === undefined) break;
      const endTokens = end * this.#chunkTokens;
      const last = runs.at(-1);
      if (last?.source === source) last.endTokens = endTokens;
      else runs.push({ source, endTokens });
    }
    return runs;
  }

  loadSecondsPerToken(source: HeldRun['source']): number | undefined {
    const { link, chunkBytesPerGpu } = this.#config;
    if (source === 'host') return chunkBytesPerGpu / link.bytesPerSecond / this.#chunkTokens;
    const store = this.#stores.find((one) => one.source === source);
    const seconds = store?.chunkReadSeconds;
    return seconds === undefined ? undefined : seconds / this.#chunkTokens;
  }

  load(sequence: TieredSequence, localTokens: number, hit: TierHit): void {
    const firstChunk = Math.floor(localTokens / this.#chunkTokens);
    const endChunk = Math.ceil((localTokens + hit.tokens) / this.#chunkTokens);
    this.#loads.push({ sequence, firstChunk, endChunk });
  }

  planned(step: TierStep): number {
    const lookupSeconds = this.#lookupSeconds;
    this.#lookupSeconds = 0;
    const loadSeconds = this.#load(step.startSeconds + lookupSeconds);
    const ownSeconds = step.sequences.length > 0 ? this.#config.stepSeconds : 0;
    const beforeSeconds = ownSeconds + lookupSeconds + loadSeconds;
    const endSeconds = step.startSeconds + beforeSeconds + step.computeSeconds;
    return beforeSeconds + this.#store(step, endSeconds);
  }

  advance(nowSeconds: number): readonly TieredSequence[] {
    for (const store of this.#stores) store.advance?.(nowSeconds);
    return [];
  }

  finished({ request }: TieredSequence): void {
    this.#saved.delete(request);
  }

  /** Whether a chunk is in host memory. */
  holds(key: BlockKey): boolean {
    return this.#local?.has(key) ?? false;
  }

  /** Keeps a chunk in host memory for this time. @returns False if it is not there. */
  pin(key: BlockKey, seconds: number): boolean {
    return this.#local?.pin(key, seconds) ?? false;
  }

  /** Empties host memory. @returns The number of its chunks. */
  clearLocal(): number {
    const keys = this.#local?.clear() ?? [];
    if (keys.length > 0) this.#listener.removed?.(keys, 'CPU');
    return keys.length;
  }

  /** Another engine reads a chunk out of host memory, which counts as a use. @returns False if it is not there. */
  lend(key: BlockKey): boolean {
    return this.#local?.use(key) ?? false;
  }

  /** A chunk comes to host memory from another engine. @returns False without host memory. */
  take(key: BlockKey): boolean {
    this.#local?.add(key);
    return this.#local !== undefined;
  }

  /** A chunk of host memory goes to another engine. */
  drop(key: BlockKey): void {
    if (this.#local?.delete(key)) this.#listener.removed?.([key], 'CPU');
  }

  /** A chunk that was taken under a key of its own is one of a prompt. */
  rename(key: BlockKey, to: BlockKey): void {
    this.#local?.rename(key, to);
    this.#listener.stored?.([to], 'CPU');
  }

  reset(): boolean {
    this.#local?.clear();
    for (const store of this.#stores) store.clear();
    this.#listener.emptied?.();
    this.#loads = [];
    for (const request of this.#saved.keys()) this.#saved.set(request, 0);
    return true;
  }

  /** Asks stores outside this process. @returns False while one of them has not replied. */
  #prepare(sequence: TieredSequence, localTokens: number, nowSeconds: number): boolean {
    if (this.#stores.every(({ prepare }) => prepare === undefined)) return true;
    const end = Math.floor(sequence.knownTokens / this.#chunkTokens);
    const firstChunk = Math.floor(localTokens / this.#chunkTokens);
    let missing = Array.from({ length: end }, (_, chunk) => ({
      key: this.#key(sequence, chunk),
      isNeeded: chunk >= firstChunk,
    })).filter(({ key }) => !this.#local?.has(key));
    let isReady = true;
    for (const store of this.#stores) {
      if (missing.length === 0) break;
      const first = missing.findIndex(({ isNeeded }) => isNeeded);
      const keys = missing.map(({ key }) => key);
      const firstNeeded = first === -1 ? keys.length : first;
      isReady = (store.prepare?.(keys, firstNeeded, nowSeconds) ?? true) && isReady;
      missing = missing.filter(({ key }) => !store.has(key, nowSeconds));
    }
    return isReady;
  }

  /** How long a load would take: the slowest store, then the copy onto the GPU. */
  #estimate(
    tokens: number,
    below: ReadonlyMap<LmcacheStore, readonly BlockKey[]>,
    nowSeconds: number,
  ): number {
    if (tokens === 0) return 0;
    const reads = [...below].map(([store, keys]) => store.readSeconds(keys, nowSeconds));
    return Math.max(0, ...reads) + this.#copySeconds(Math.ceil(tokens / this.#chunkTokens));
  }

  /** The key of a chunk is that of its last block. */
  #key(sequence: TieredSequence, chunk: number): BlockKey {
    return sequence.blockKey((chunk + 1) * this.#config.blocksPerChunk - 1);
  }

  /** Loads the hits of this step's admissions. @returns How long that takes. */
  #load(startSeconds: number): number {
    let chunks = 0;
    let readSeconds = startSeconds;
    for (const { sequence, firstChunk, endChunk } of this.#loads) {
      const below = new Map<LmcacheStore, BlockKey[]>();
      for (let chunk = 0; chunk < endChunk; chunk++) {
        const key = this.#key(sequence, chunk);
        // The chunks before the GPU's own hit only have their recency updated.
        if (this.#local?.use(key) || chunk < firstChunk) continue;
        const store = this.#stores.find((one) => one.has(key, startSeconds));
        if (store === undefined) continue;
        const keys = below.get(store);
        if (keys) keys.push(key);
        else below.set(store, [key]);
      }
      for (const [store, keys] of below) {
        readSeconds = Math.max(readSeconds, store.read(keys, startSeconds));
        if (store.keepsReads === false) continue;
        for (const key of keys) this.#local?.add(key);
        this.#listener.stored?.(keys, 'CPU');
      }
      chunks += endChunk - firstChunk;
    }
    this.#loads = [];
    if (chunks === 0) return 0;
    const seconds = readSeconds - startSeconds + this.#copySeconds(chunks);
    this.#loaded = this.#counted(this.#loaded, 'load', chunks, seconds);
    return seconds;
  }

  /** Stores the prompt chunks that this step completes. @returns How long the copies take. */
  #store({ sequences, scheduledTokens }: TierStep, endSeconds: number): number {
    if (this.#local === undefined && this.#stores.length === 0) return 0;
    const fresh: BlockKey[] = [];
    const offered: BlockKey[] = [];
    for (const [i, sequence] of sequences.entries()) {
      const { request } = sequence;
      const computed = sequence.computedTokens + (scheduledTokens[i] as number);
      const end = Math.floor(Math.min(computed, request.promptTokens) / this.#chunkTokens);
      const first = this.#saved.get(request) ?? 0;
      if (end <= first) continue;
      this.#saved.set(request, end);
      for (let chunk = first; chunk < end; chunk++) {
        const key = this.#key(sequence, chunk);
        offered.push(key);
        for (const store of this.#chained) {
          if (chunk > 0) store.follows?.(key, this.#key(sequence, chunk - 1));
        }
        if (this.#local?.use(key)) continue;
        this.#local?.add(key);
        fresh.push(key);
      }
    }
    const seconds = fresh.length === 0 ? 0 : this.#copySeconds(fresh.length);
    // Copied out of host memory, so only once they are there.
    for (const store of this.#stores) store.write(offered, endSeconds + seconds);
    if (fresh.length === 0) return 0;
    if (this.#local) this.#listener.stored?.(fresh, 'CPU');
    this.#stored = this.#counted(this.#stored, 'store', fresh.length, seconds);
    return seconds;
  }

  #copySeconds(chunks: number): number {
    const { link, chunkBytesPerGpu } = this.#config;
    return (link.latencySeconds ?? 0) + (chunks * chunkBytesPerGpu) / link.bytesPerSecond;
  }

  #counted(
    { transfers, bytes, seconds }: TransferStats,
    direction: 'load' | 'store',
    chunks: number,
    took: number,
  ): TransferStats {
    const moved = chunks * this.#config.chunkBytes;
    this.#listener.transferred?.(direction, moved, took);
    return { transfers: transfers + 1, bytes: bytes + moved, seconds: seconds + took };
  }
}
