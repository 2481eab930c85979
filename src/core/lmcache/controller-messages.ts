// The messages between LMCache in engines and its controller: MessagePack maps tagged by "type".
import { MessagePackReader, MessagePackWriter } from '../protocol/index.ts';

/** Where keys change: 64 bits, signed or not, so that they only fit a BigInt. */
export interface KeyOperation {
  readonly isAdmission: boolean;
  readonly key: bigint;
  readonly sequence: number;
}

/** A message of a worker, read by the names of its fields; a field that it lacks is empty. */
export interface WorkerMessage {
  readonly type: string;
  readonly instanceId: string;
  readonly workerId: number;
  readonly ip: string;
  readonly port: number;
  readonly peerInitUrl: string | undefined;
  readonly location: string;
  readonly syncId: string;
  readonly batchId: number;
  readonly batchCount: number;
  /** Of a full sync. */
  readonly totalKeys: number;
  /** Keys of a batch of a full sync, or those that a peer looks up. */
  readonly keys: readonly bigint[];
  readonly operations: readonly KeyOperation[];
}

type Fields = { -readonly [Name in keyof WorkerMessage]: WorkerMessage[Name] };

/** Longest text; LMCache's own are names of hosts and instances. */
const textCharactersMax = 512;

/**
 * Reads a message of a worker. Unknown fields are skipped: they differ between versions of LMCache.
 *
 * @throws {MessagePackFormatError} If it is not a map, or a field has another type.
 */
export function decodeWorkerMessage(bytes: Uint8Array): WorkerMessage {
  const reader = new MessagePackReader(bytes);
  const fields: Fields = {
    ...{ type: '', instanceId: '', workerId: 0, ip: '', port: 0, peerInitUrl: undefined },
    ...{ location: '', syncId: '', batchId: 0, batchCount: 0, totalKeys: 0 },
    ...{ keys: [], operations: [] },
  };
  // The messages of LMCache up to 0.3.9 are about one key each.
  const single = { key: undefined as bigint | undefined, sequence: 0 };
  for (let left = reader.map(); left > 0; left--) readField(reader, fields, single);
  if (reader.offset < bytes.length) reader.fail('more follows');
  if (single.key !== undefined && fields.operations.length === 0) {
    const isAdmission = fields.type === 'KVAdmitMsg';
    fields.operations = [{ isAdmission, key: single.key, sequence: single.sequence }];
  }
  return fields;
}

function readField(
  reader: MessagePackReader,
  fields: Fields,
  single: { key: bigint | undefined; sequence: number },
): void {
  const name = reader.string();
  // Optional fields may be nil.
  if (reader.nil()) return;
  switch (name) {
    case 'type':
      fields.type = text(reader);
      break;
    case 'instance_id':
      fields.instanceId = text(reader);
      break;
    case 'worker_id':
      fields.workerId = count(reader);
      break;
    case 'ip':
      fields.ip = text(reader);
      break;
    case 'port':
      fields.port = count(reader);
      break;
    case 'peer_init_url':
      fields.peerInitUrl = text(reader);
      break;
    case 'location':
      fields.location = text(reader);
      break;
    case 'sync_id':
      fields.syncId = text(reader);
      break;
    case 'batch_id':
      fields.batchId = count(reader);
      break;
    case 'batch_count':
      fields.batchCount = count(reader);
      break;
    case 'total_keys':
    case 'actual_total_keys':
      fields.totalKeys = count(reader);
      break;
    case 'keys':
    case 'hashes':
      fields.keys = Array.from({ length: reader.array() }, () => reader.bigInteger());
      break;
    case 'operations':
      fields.operations = Array.from({ length: reader.array() }, () => readOperation(reader));
      break;
    case 'key':
      single.key = reader.bigInteger();
      break;
    case 'seq_num':
      single.sequence = count(reader);
      break;
    default:
      reader.skip();
  }
}

function readOperation(reader: MessagePackReader): KeyOperation {
  let [isAdmission, key, sequence] = [false, 0n, 0];
  for (let left = reader.map(); left > 0; left--) {
    const name = reader.string();
    if (name === 'op_type') isAdmission = text(reader) === 'admit';
    else if (name === 'key') key = reader.bigInteger();
    else if (name === 'seq_num') sequence = count(reader);
    else reader.skip();
  }
  return { isAdmission, key, sequence };
}

function text(reader: MessagePackReader): string {
  const value = reader.string();
  return value.length <= textCharactersMax ? value : reader.fail('a text is too long');
}

function count(reader: MessagePackReader): number {
  const value = reader.integer();
  return value >= 0 ? value : reader.fail(`${value} is negative`);
}

/** What is written: a value of MessagePack, with floats marked as such. */
export type MessageValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Float
  | readonly MessageValue[]
  | { readonly [name: string]: MessageValue };

/** A number that is written as a float even if it is whole. */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** Encodes a message of the controller or of a worker, with its fields in order. */
export function encodeLmcacheMessage(message: MessageValue): Uint8Array {
  const writer = new MessagePackWriter();
  write(writer, message);
  return writer.out.bytes.slice(0, writer.out.length);
}

function write(writer: MessagePackWriter, value: MessageValue): void {
  if (value === null) writer.nil();
  else if (typeof value === 'string') writer.string(value);
  else if (typeof value === 'number') writer.integer(value);
  else if (typeof value === 'bigint') writer.bigInteger(value);
  else if (typeof value === 'boolean') writer.out.byte(value ? 0xc3 : 0xc2);
  else if (value instanceof Float) writer.float64(value.value);
  else if (Array.isArray(value)) {
    writer.array(value.length);
    for (const item of value) write(writer, item);
  } else {
    const entries = Object.entries(value);
    writer.map(entries.length);
    for (const [name, item] of entries) {
      writer.string(name);
      write(writer, item);
    }
  }
}

/** What the controller asks of a worker; a field that it lacks is empty. */
export interface WorkerOrder {
  readonly type: string;
  /** LMCache's name of a tier. */
  readonly location: string;
  readonly tokens: readonly number[];
  /** Where a move goes: `host:port` of the other engine's handshake, and a tier. */
  readonly target: readonly [url: string, location: string] | undefined;
  /** Whether what moves stays where it is, too; LMCache's default. */
  readonly copies: boolean;
}

/** @throws {MessagePackFormatError} If it is not a map, or a field has another type. */
export function decodeOrder(bytes: Uint8Array): WorkerOrder {
  const reader = new MessagePackReader(bytes);
  let [type, location] = ['', ''];
  let tokens: readonly number[] = [];
  let target: WorkerOrder['target'];
  let copies = true;
  for (let left = reader.map(); left > 0; left--) {
    const name = reader.string();
    if (reader.nil()) continue;
    if (name === 'type') type = text(reader);
    else if (name === 'location' || name === 'old_position') location = text(reader);
    else if (name === 'copy') copies = reader.boolean();
    else if (name === 'new_position') {
      if (reader.array() !== 2) reader.fail('a position has two parts');
      target = [text(reader), text(reader)];
    } else if (name === 'tokens') {
      tokens = Array.from({ length: reader.array() }, () => count(reader));
    } else reader.skip();
  }
  return { type, location, tokens, target, copies };
}

/** A worker's reply to an order: the fields that matter, undefined where it lacks them. */
export interface OrderReply {
  readonly tokens: number | undefined;
  readonly errorCode: number | undefined;
  readonly error: string | undefined;
}

/** @throws {MessagePackFormatError} If it is not a map, or a field has another type. */
export function decodeOrderReply(bytes: Uint8Array): OrderReply {
  const reader = new MessagePackReader(bytes);
  let [tokens, errorCode]: (number | undefined)[] = [];
  let error: string | undefined;
  for (let left = reader.map(); left > 0; left--) {
    const name = reader.string();
    if (name === 'num_tokens') tokens = reader.integer();
    else if (name === 'error_code') errorCode = reader.integer();
    else if (name === 'error') error = text(reader);
    else reader.skip();
  }
  return { tokens, errorCode, error };
}

/** The controller's reply to a request of a worker; a field that it lacks is empty. */
export interface ControllerReply {
  readonly type: string;
  /** `host:port` for heartbeats. */
  readonly heartbeatUrl: string | undefined;
  /** Names of what the worker is to do: `full_sync`. */
  readonly commands: readonly string[];
  /** Whether a full sync may begin. */
  readonly isAccepted: boolean;
  readonly canExitFreeze: boolean;
  readonly missingBatches: readonly number[];
  /** Who has the chunks that a P2P lookup asked for; undefined for nobody. */
  readonly peer: PeerMatch | undefined;
}

/** An engine whose host memory has the beginning of a prompt. */
export interface PeerMatch {
  /** `host:port` of its handshake. */
  readonly initUrl: string;
  readonly chunks: number;
}

type ReplyFields = { -readonly [Name in keyof ControllerReply]: ControllerReply[Name] };

/** @throws {MessagePackFormatError} If it is not a map, or a field has another type. */
export function decodeControllerReply(bytes: Uint8Array): ControllerReply {
  const reader = new MessagePackReader(bytes);
  const fields: ReplyFields = {
    ...{ type: '', heartbeatUrl: undefined, commands: [], isAccepted: false },
    ...{ canExitFreeze: false, missingBatches: [], peer: undefined },
  };
  for (let left = reader.map(); left > 0; left--) {
    const name = reader.string();
    if (reader.nil()) continue;
    if (name === 'type') fields.type = text(reader);
    else if (name === 'accepted') fields.isAccepted = reader.boolean();
    else if (name === 'can_exit_freeze') fields.canExitFreeze = reader.boolean();
    else if (name === 'extra_config') fields.heartbeatUrl = fieldOf(reader, 'heartbeat_url');
    else if (name === 'missing_batches') {
      fields.missingBatches = Array.from({ length: reader.array() }, () => count(reader));
    } else if (name === 'commands') {
      const types = Array.from({ length: reader.array() }, () => fieldOf(reader, 'command_type'));
      fields.commands = types.filter((type) => type !== undefined);
    } else if (name === 'layout_info') {
      const found = Array.from({ length: reader.array() }, () => peerOf(reader));
      fields.peer = found.find(({ chunks, initUrl }) => chunks > 0 && initUrl !== '');
    } else reader.skip();
  }
  return fields;
}

/** A tuple of instance, location, chunks and address. */
function peerOf(reader: MessagePackReader): PeerMatch {
  const length = reader.array();
  if (length !== 4) reader.fail(`a place has ${length} fields`);
  for (let skipped = 0; skipped < 2; skipped++) reader.skip();
  const chunks = count(reader);
  return { chunks, initUrl: text(reader) };
}

/** The text of one field of a map. */
function fieldOf(reader: MessagePackReader, wanted: string): string | undefined {
  let found: string | undefined;
  for (let left = reader.map(); left > 0; left--) {
    if (reader.string() === wanted) found = text(reader);
    else reader.skip();
  }
  return found;
}
