// Writes KV event batches exactly like vLLM 0.32: a batch is an array, an event a map with its type first, and
// unset optional fields are omitted.
import type {
  BlockRemovedEvent,
  BlockStoredEvent,
  EventBlockHash,
  EventExtraKey,
  KvEvent,
  KvEventBatch,
} from './kv-events.ts';
import { MessagePackWriter } from './message-pack-writer.ts';

/** Reused for all batches: most have one block, and allocating a buffer would cost more than encoding it. */
let writer = new MessagePackWriter();
/** Maximum size of a buffer that is kept; a larger one is released with the next batch. */
const keptBytesMax = 1024 * 1024;

/**
 * Returns the payload of one message.
 *
 * @throws {TypeError} If the batch contains an unknown event; only received events can be unknown.
 */
export function encodeKvEventBatch(batch: KvEventBatch): Uint8Array {
  if (writer.out.bytes.length > keptBytesMax) writer = new MessagePackWriter();
  writer.out.length = 0;
  writer.array(3);
  writer.float64(batch.timestampSeconds);
  writer.array(batch.events.length);
  for (const event of batch.events) writeEvent(writer, event);
  writeOptionalInteger(writer, batch.dataParallelRank);
  return writer.out.copy();
}

function writeEvent(writer: MessagePackWriter, event: KvEvent): void {
  switch (event.type) {
    case 'BlockStored':
      writeBlockStored(writer, event);
      break;
    case 'BlockRemoved':
      writeBlockRemoved(writer, event);
      break;
    case 'AllBlocksCleared':
      writer.map(1);
      writeField(writer, 'type', 'AllBlocksCleared');
      break;
    case 'unknown':
      throw new TypeError(`Cannot write an unknown KV event (${event.name})`);
  }
}

function writeBlockStored(writer: MessagePackWriter, event: BlockStoredEvent): void {
  const optional = [
    event.extraKeys,
    event.groupIndex,
    event.cacheSpecKind,
    event.slidingWindow,
    event.locality,
    event.ownership,
    event.sessionId,
  ];
  writer.map(8 + optional.filter((value) => value !== undefined).length);
  writeField(writer, 'type', 'BlockStored');
  writeHashes(writer, event.blockHashes);
  writer.string('parent_block_hash');
  if (event.parentBlockHash === undefined) writer.nil();
  else writeHash(writer, event.parentBlockHash);
  writer.string('token_ids');
  writer.array(event.tokenIds.length);
  writer.integers(event.tokenIds);
  writer.string('block_size');
  writer.integer(event.blockSize);
  writer.string('lora_id');
  writeOptionalInteger(writer, event.loraId);
  writeNullable(writer, 'medium', event.medium);
  writeNullable(writer, 'lora_name', event.loraName);
  if (event.extraKeys !== undefined) {
    writer.string('extra_keys');
    writer.array(event.extraKeys.length);
    for (const keys of event.extraKeys) writeExtraKey(writer, keys ?? null);
  }
  writeField(writer, 'group_idx', event.groupIndex);
  writeField(writer, 'kv_cache_spec_kind', event.cacheSpecKind);
  writeField(writer, 'kv_cache_spec_sliding_window', event.slidingWindow);
  writeField(writer, 'locality', event.locality);
  writeField(writer, 'ownership', event.ownership);
  writeField(writer, 'session_id', event.sessionId);
}

function writeBlockRemoved(writer: MessagePackWriter, event: BlockRemovedEvent): void {
  const optional = [event.groupIndex, event.locality, event.ownership];
  writer.map(3 + optional.filter((value) => value !== undefined).length);
  writeField(writer, 'type', 'BlockRemoved');
  writeHashes(writer, event.blockHashes);
  writeNullable(writer, 'medium', event.medium);
  writeField(writer, 'group_idx', event.groupIndex);
  writeField(writer, 'locality', event.locality);
  writeField(writer, 'ownership', event.ownership);
}

function writeHashes(writer: MessagePackWriter, hashes: readonly EventBlockHash[]): void {
  writer.string('block_hashes');
  writer.array(hashes.length);
  for (const hash of hashes) writeHash(writer, hash);
}

function writeHash(writer: MessagePackWriter, hash: EventBlockHash): void {
  if (typeof hash === 'bigint') writer.bigInteger(hash);
  else writer.binary(hash);
}

/** A field that is omitted if unset. */
function writeField(
  writer: MessagePackWriter,
  key: string,
  value: string | number | undefined,
): void {
  if (value === undefined) return;
  writer.string(key);
  if (typeof value === 'string') writer.string(value);
  else writer.integer(value);
}

/** A field that is nil if unset. */
function writeNullable(writer: MessagePackWriter, key: string, value: string | undefined): void {
  writer.string(key);
  if (value === undefined) writer.nil();
  else writer.string(value);
}

function writeOptionalInteger(writer: MessagePackWriter, value: number | undefined): void {
  if (value === undefined) writer.nil();
  else writer.integer(value);
}

function writeExtraKey(writer: MessagePackWriter, key: EventExtraKey): void {
  if (key === null) writer.nil();
  else if (typeof key === 'string') writer.string(key);
  else if (typeof key === 'number') writer.integer(key);
  else if (key instanceof Uint8Array) writer.binary(key);
  else {
    writer.array(key.length);
    for (const part of key) writeExtraKey(writer, part);
  }
}
