// KV cache events as vLLM publishes them: changes to the set of blocks that an engine holds.

/** One message: the changes of one engine step. */
export interface KvEventBatch {
  /** Unix time. */
  readonly timestampSeconds: number;
  /** In the order of the engine's operations. */
  readonly events: readonly KvEvent[];
  /** Undefined if the engine does not report it. */
  readonly dataParallelRank: number | undefined;
}

export type KvEvent = BlockStoredEvent | BlockRemovedEvent | AllBlocksClearedEvent | UnknownKvEvent;

/**
 * An engine's name of a block: the last 8 bytes of its hash (the default), or the whole hash
 * (VLLM_KV_EVENTS_USE_INT_BLOCK_HASHES=0).
 */
export type EventBlockHash = bigint | Uint8Array;

/**
 * Parts of a block's name besides its tokens, without the tags in its hash: adapter name,
 * [image identifier, offset], cache salt, digest of prompt embeddings.
 */
export type EventExtraKey = string | number | Uint8Array | null | readonly EventExtraKey[];

/** Blocks of one request became findable. */
export interface BlockStoredEvent {
  readonly type: 'BlockStored';
  readonly blockHashes: readonly EventBlockHash[];
  /** The block before the first one; undefined at the start of a sequence. */
  readonly parentBlockHash: EventBlockHash | undefined;
  /** Tokens of all the blocks; empty in the placeholders of offload tiers. */
  readonly tokenIds: ArrayLike<number>;
  /** Tokens per block; 0 in the placeholders of offload tiers. */
  readonly blockSize: number;
  readonly loraId: number | undefined;
  /** Where: GPU, CPU, STORAGE; some connectors write it in lower case. */
  readonly medium: string | undefined;
  readonly loraName: string | undefined;
  /** Per block. */
  readonly extraKeys?: readonly (readonly EventExtraKey[] | undefined)[] | undefined;
  /** Index of the KV cache group, for models with several kinds of attention. */
  readonly groupIndex?: number | undefined;
  /** full_attention, mla_attention, sliding_window, mamba, … */
  readonly cacheSpecKind?: string | undefined;
  readonly slidingWindow?: number | undefined;
  /** LOCAL or REMOTE; offload tiers. */
  readonly locality?: string | undefined;
  readonly ownership?: string | undefined;
  readonly sessionId?: string | undefined;
}

/** Blocks were given to somebody else. One event per block; no duplicates are merged. */
export interface BlockRemovedEvent {
  readonly type: 'BlockRemoved';
  readonly blockHashes: readonly EventBlockHash[];
  readonly medium: string | undefined;
  readonly groupIndex?: number | undefined;
  readonly locality?: string | undefined;
  readonly ownership?: string | undefined;
}

/** The prefix cache was reset. */
export interface AllBlocksClearedEvent {
  readonly type: 'AllBlocksCleared';
}

/** An event of a newer engine; its content is not read. */
export interface UnknownKvEvent {
  readonly type: 'unknown';
  readonly name: string;
}
