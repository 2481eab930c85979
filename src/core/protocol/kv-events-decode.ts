// Reads KV event batches of any vLLM version: events as maps (0.24 and later) or positional arrays (before),
// block hashes as integers or bytes. Fields of newer versions are skipped.
import type {
  BlockRemovedEvent,
  BlockStoredEvent,
  EventBlockHash,
  EventExtraKey,
  KvEvent,
  KvEventBatch,
} from './kv-events.ts';
import { MessagePackReader } from './message-pack-reader.ts';

/**
 * Events, hashes and extra keys of one batch. A step of a million tokens in blocks of 16 stores 65,536 blocks; twice as many are
 * read in a tenth of a second.
 */
const itemsMax = 131_072;

/** Token ids of one batch: those of four steps of a million tokens. */
const tokenIdsMax = 4 * 2 ** 20;

/**
 * Reads the payload of one message.
 *
 * @throws {MessagePackFormatError} If it is truncated, has wrong types or too many items, or is not a batch. Memory use is limited to a
 *   small multiple of the input's length.
 */
export function decodeKvEventBatch(payload: Uint8Array): KvEventBatch {
  const reader = new MessagePackReader(payload, itemsMax, tokenIdsMax);
  const items = reader.array();
  if (items < 2) reader.fail('a batch has at least a time and its events');
  const timestampSeconds = reader.float();
  const eventCount = reader.array();
  const events: KvEvent[] = [];
  for (let i = 0; i < eventCount; i++) events.push(readEvent(reader));
  // Engines before 0.10 send no rank.
  const dataParallelRank = items > 2 && !reader.nil() ? reader.integer() : undefined;
  for (let i = 3; i < items; i++) reader.skip();
  if (reader.offset !== payload.length) reader.fail('bytes follow the end of the batch');
  return { timestampSeconds, events, dataParallelRank };
}

/** Reads one field's value into the event under construction. */
type FieldReader<T> = (reader: MessagePackReader, event: Mutable<T>) => void;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A field: its key on the wire, whether it is required, and its reader. */
interface Field<T> {
  readonly name: string;
  readonly key: Uint8Array;
  readonly required: boolean;
  readonly read: FieldReader<T>;
}

// In wire order, which is also the order of the positional form. A field is required if an event is useless
// without it; older engines lack some of the others.
const storedFields: readonly Field<BlockStoredEvent>[] = [
  field('block_hashes', true, (reader, event) => {
    event.blockHashes = readHashes(reader);
  }),
  field('parent_block_hash', true, (reader, event) => {
    event.parentBlockHash = reader.nil() ? undefined : readHash(reader);
  }),
  field('token_ids', true, (reader, event) => {
    event.tokenIds = reader.tokenIds();
  }),
  field('block_size', true, (reader, event) => {
    event.blockSize = readCount(reader);
  }),
  field('lora_id', false, (reader, event) => {
    event.loraId = reader.nil() ? undefined : reader.integer();
  }),
  field('medium', false, (reader, event) => {
    event.medium = readText(reader);
  }),
  field('lora_name', false, (reader, event) => {
    event.loraName = readText(reader);
  }),
  field('extra_keys', false, (reader, event) => {
    if (reader.nil()) return;
    event.extraKeys = readEach(reader, () => (reader.nil() ? undefined : readExtraKeys(reader)));
  }),
  field('group_idx', false, (reader, event) => {
    if (!reader.nil()) event.groupIndex = readCount(reader);
  }),
  field('kv_cache_spec_kind', false, (reader, event) => {
    if (!reader.nil()) event.cacheSpecKind = reader.string();
  }),
  field('kv_cache_spec_sliding_window', false, (reader, event) => {
    if (!reader.nil()) event.slidingWindow = reader.integer();
  }),
  field('locality', false, (reader, event) => {
    if (!reader.nil()) event.locality = reader.string();
  }),
  field('ownership', false, (reader, event) => {
    if (!reader.nil()) event.ownership = reader.string();
  }),
  field('session_id', false, (reader, event) => {
    if (!reader.nil()) event.sessionId = reader.string();
  }),
];

const removedFields: readonly Field<BlockRemovedEvent>[] = [
  field('block_hashes', true, (reader, event) => {
    event.blockHashes = readHashes(reader);
  }),
  field('medium', false, (reader, event) => {
    event.medium = readText(reader);
  }),
  field('group_idx', false, (reader, event) => {
    if (!reader.nil()) event.groupIndex = readCount(reader);
  }),
  field('locality', false, (reader, event) => {
    if (!reader.nil()) event.locality = reader.string();
  }),
  field('ownership', false, (reader, event) => {
    if (!reader.nil()) event.ownership = reader.string();
  }),
];

const typeKey = keyBytes('type');

function readEvent(reader: MessagePackReader): KvEvent {
  const asMap = reader.nextIsMap();
  const values = asMap ? reader.map() : reader.array();
  if (values === 0) reader.fail('an event without a type');
  if (asMap && !reader.literal(typeKey)) reader.fail('the first key of an event is not "type"');
  const name = reader.string();
  const rest = values - 1;
  switch (name) {
    case 'BlockStored': {
      const event: Mutable<BlockStoredEvent> = {
        type: name,
        blockHashes: [],
        parentBlockHash: undefined,
        tokenIds: [],
        blockSize: 0,
        loraId: undefined,
        medium: undefined,
        loraName: undefined,
      };
      readFields(reader, event, storedFields, rest, asMap);
      return event;
    }
    case 'BlockRemoved': {
      const event: Mutable<BlockRemovedEvent> = {
        type: name,
        blockHashes: [],
        medium: undefined,
      };
      readFields(reader, event, removedFields, rest, asMap);
      return event;
    }
    case 'AllBlocksCleared':
      readFields(reader, { type: name }, [], rest, asMap);
      return { type: name };
    default:
      readFields(reader, { type: 'unknown', name }, [], rest, asMap);
      return { type: 'unknown', name };
  }
}

function readFields<T>(
  reader: MessagePackReader,
  event: Mutable<T>,
  fields: readonly Field<T>[],
  count: number,
  asMap: boolean,
): void {
  let required = 0;
  let next = 0;
  for (let i = 0; i < count; i++) {
    const known = asMap ? findField(reader, fields, next) : fields[i];
    if (known === undefined) {
      if (asMap) reader.skip();
      reader.skip();
      continue;
    }
    known.read(reader, event);
    if (known.required) required += 1;
    next += 1;
  }
  if (required !== fields.filter((known) => known.required).length) {
    const names = fields.filter((known) => known.required).map((known) => known.name);
    reader.fail(`an event needs each of ${names.join(', ')} once`);
  }
}

/** The field of the next key; keys are in order, so the search starts at the expected field. */
function findField<T>(
  reader: MessagePackReader,
  fields: readonly Field<T>[],
  from: number,
): Field<T> | undefined {
  for (let i = 0; i < fields.length; i++) {
    const known = fields[(from + i) % fields.length];
    if (known !== undefined && reader.literal(known.key)) return known;
  }
  return undefined;
}

function field<T>(name: string, required: boolean, read: FieldReader<T>): Field<T> {
  return { name, key: keyBytes(name), required, read };
}

/** A short string in wire format. */
function keyBytes(name: string): Uint8Array {
  return Uint8Array.of(0xa0 | name.length, ...new TextEncoder().encode(name));
}

function readHashes(reader: MessagePackReader): EventBlockHash[] {
  return readEach(reader, readHash);
}

function readHash(reader: MessagePackReader): EventBlockHash {
  const type = reader.peek();
  return type >= 0xc4 && type <= 0xc6 ? reader.binary() : reader.bigInteger();
}

function readText(reader: MessagePackReader): string | undefined {
  return reader.nil() ? undefined : reader.string();
}

function readCount(reader: MessagePackReader): number {
  const value = reader.integer();
  return value >= 0 ? value : reader.fail(`${value} is not a count`);
}

/** vLLM nests an image's identifier and offset one level deep. */
const extraKeyDepthMax = 4;

function readExtraKeys(reader: MessagePackReader, depth = 1): EventExtraKey[] {
  if (depth > extraKeyDepthMax) reader.fail('extra keys are nested too deep');
  return readEach(reader, () => readExtraKey(reader, depth));
}

function readExtraKey(reader: MessagePackReader, depth: number): EventExtraKey {
  if (reader.nil()) return null;
  if (reader.nextIsArray()) return readExtraKeys(reader, depth + 1);
  const type = reader.peek();
  if (type >= 0xc4 && type <= 0xc6) return reader.binary();
  if ((type & 0xe0) === 0xa0 || (type >= 0xd9 && type <= 0xdb)) return reader.string();
  return reader.integer();
}

function readEach<T>(reader: MessagePackReader, read: (reader: MessagePackReader) => T): T[] {
  const items = reader.array();
  const values: T[] = [];
  for (let i = 0; i < items; i++) values.push(read(reader));
  return values;
}
