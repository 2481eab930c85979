// Builds a KV event batch from the result of a general MessagePack parser, with the checks that
// `decodeKvEventBatch` makes while it parses. Supports events as maps only, the form of vLLM 0.24
// and later.
import type {
  BlockRemovedEvent,
  BlockStoredEvent,
  EventBlockHash,
  KvEvent,
  KvEventBatch,
} from '../../src/core/protocol/index.ts';

/** @throws {TypeError} If it is not a batch. */
export function checkedBatch(value: unknown): KvEventBatch {
  if (!Array.isArray(value) || value.length < 2) fail('a batch');
  const [time, events, rank] = value as unknown[];
  if (typeof time !== 'number' || !Array.isArray(events)) fail('a time and events');
  return {
    timestampSeconds: time as number,
    events: (events as unknown[]).map(checkedEvent),
    dataParallelRank: rank == null ? undefined : integer(rank),
  };
}

function checkedEvent(value: unknown): KvEvent {
  if (typeof value !== 'object' || value === null) fail('an event');
  const event = value as Readonly<Record<string, unknown>>;
  const { type } = event;
  if (typeof type !== 'string') fail('a type');
  if (type === 'AllBlocksCleared') return { type };
  if (type === 'BlockRemoved') return removed(event);
  if (type === 'BlockStored') return stored(event);
  return { type: 'unknown', name: type as string };
}

function removed(event: Readonly<Record<string, unknown>>): BlockRemovedEvent {
  return {
    type: 'BlockRemoved',
    blockHashes: hashes(event['block_hashes']),
    medium: text(event['medium']),
    groupIndex: event['group_idx'] == null ? undefined : integer(event['group_idx']),
    locality: text(event['locality']),
    ownership: text(event['ownership']),
  };
}

function stored(event: Readonly<Record<string, unknown>>): BlockStoredEvent {
  const { token_ids: tokens, parent_block_hash: parent, extra_keys: extraKeys } = event;
  if (!Array.isArray(tokens)) fail('token ids');
  for (const token of tokens as unknown[]) integer(token);
  return {
    type: 'BlockStored',
    blockHashes: hashes(event['block_hashes']),
    parentBlockHash: parent == null ? undefined : hash(parent),
    tokenIds: tokens as number[],
    blockSize: integer(event['block_size']),
    loraId: event['lora_id'] == null ? undefined : integer(event['lora_id']),
    medium: text(event['medium']),
    loraName: text(event['lora_name']),
    extraKeys: extraKeys == null ? undefined : (extraKeys as BlockStoredEvent['extraKeys']),
    groupIndex: event['group_idx'] == null ? undefined : integer(event['group_idx']),
    cacheSpecKind: text(event['kv_cache_spec_kind']),
    slidingWindow:
      event['kv_cache_spec_sliding_window'] == null
        ? undefined
        : integer(event['kv_cache_spec_sliding_window']),
    locality: text(event['locality']),
    ownership: text(event['ownership']),
    sessionId: text(event['session_id']),
  };
}

function hashes(value: unknown): readonly EventBlockHash[] {
  if (!Array.isArray(value)) fail('block hashes');
  return (value as unknown[]).map(hash);
}

function hash(value: unknown): EventBlockHash {
  if (typeof value === 'bigint' || value instanceof Uint8Array) return value;
  return BigInt(integer(value));
}

function integer(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) fail('an integer');
  return value as number;
}

function text(value: unknown): string | undefined {
  if (value == null) return undefined;
  if (typeof value !== 'string') fail('a text');
  return value as string;
}

function fail(wanted: string): never {
  throw new TypeError(`Expected ${wanted}`);
}
