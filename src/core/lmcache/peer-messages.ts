// The messages between LMCache in two engines that read each other's host memory (P2P): MessagePack maps tagged by "type".
import { MessagePackReader } from '../protocol/index.ts';
import { encodeLmcacheMessage } from './controller-messages.ts';

/** A message, read by the names of its fields; a field that it lacks is empty. */
export interface PeerMessage {
  readonly type: string;
  /** Who asks, by the address of its own handshake: `peer_init_url`, or `receiver_id` and `sender_id` of chunks. */
  readonly peer: string;
  /** Where lookups go. */
  readonly lookupUrl: string;
  readonly lookupId: string;
  /** Keys of chunks, as LMCache writes them: `model@world@worker@hash@dtype`. */
  readonly keys: readonly string[];
  /** Chunks from the start of `keys` that were sent. */
  readonly hitChunks: number;
  /** Chunks that were offered, and taken. */
  readonly readChunks: number;
  readonly errorCode: number;
}

type Fields = { -readonly [Name in keyof PeerMessage]: PeerMessage[Name] };

/** `P2PErrorCode` of LMCache. */
export const peerErrors = { server: 1, unknownType: 2, noHandshake: 3 } as const;

/** Longest text; a key of LMCache has at most 150 characters. */
const textCharactersMax = 512;
/** Chunks of one lookup: 16 million tokens. */
const keysMax = 65_536;

/**
 * Reads a message. Unknown fields are skipped.
 *
 * @throws {MessagePackFormatError} If it is not a map, or a field has another type.
 */
export function decodePeerMessage(bytes: Uint8Array): PeerMessage {
  const reader = new MessagePackReader(bytes);
  const fields: Fields = {
    ...{
      type: '',
      peer: '',
      lookupUrl: '',
      lookupId: '',
      keys: [],
      hitChunks: 0,
      readChunks: 0,
      errorCode: 0,
    },
  };
  for (let left = reader.map(); left > 0; left--) readField(reader, fields);
  if (reader.offset < bytes.length) reader.fail('more follows');
  return fields;
}

function readField(reader: MessagePackReader, fields: Fields): void {
  const name = reader.string();
  switch (name) {
    case 'type':
      fields.type = text(reader);
      break;
    case 'peer_init_url':
    case 'receiver_id':
    case 'sender_id':
      fields.peer = text(reader);
      break;
    case 'peer_lookup_url':
      fields.lookupUrl = text(reader);
      break;
    case 'lookup_id':
      fields.lookupId = text(reader);
      break;
    case 'keys':
      fields.keys = Array.from({ length: listOf(reader) }, () => text(reader));
      break;
    case 'num_hit_chunks':
      fields.hitChunks = count(reader);
      break;
    case 'num_read_chunks':
      fields.readChunks = count(reader);
      break;
    case 'error_code':
      fields.errorCode = count(reader);
      break;
    default:
      reader.skip();
  }
}

function listOf(reader: MessagePackReader): number {
  const length = reader.array();
  return length <= keysMax ? length : reader.fail('a list is too long');
}

function text(reader: MessagePackReader): string {
  const value = reader.string();
  return value.length <= textCharactersMax ? value : reader.fail('a text is too long');
}

function count(reader: MessagePackReader): number {
  const value = reader.integer();
  return value >= 0 ? value : reader.fail(`${value} is negative`);
}

/** Begins a handshake. It is the one of LMCache's channel without RDMA, `mock_memory`. */
export function peerInitRequest(peer_init_url: string): Uint8Array {
  return encodeLmcacheMessage({ type: 'PySocketInitRequest', peer_init_url });
}

export function peerInitResponse(): Uint8Array {
  return encodeLmcacheMessage({ type: 'PySocketInitResponse', status: 'ok' });
}

/** Asks, after the handshake, where lookups go. */
export function peerSideRequest(): Uint8Array {
  return encodeLmcacheMessage({ type: 'P2PInitSideMsg' });
}

export function peerSideResponse(peer_lookup_url: string): Uint8Array {
  return encodeLmcacheMessage({ type: 'P2PInitSideRetMsg', peer_lookup_url });
}

/** Asks for chunks, up to the first that is missing. */
export function peerGetRequest(
  lookup_id: string,
  receiver_id: string,
  keys: readonly string[],
): Uint8Array {
  const mem_indexes = keys.map((_, i) => i);
  return encodeLmcacheMessage({
    ...{ type: 'BatchedLookupAndGetMsg', lookup_id, receiver_id, keys, mem_indexes },
  });
}

export function peerGetResponse(num_hit_chunks: number): Uint8Array {
  return encodeLmcacheMessage({ type: 'BatchedLookupAndGetRetMsg', num_hit_chunks });
}

/**
 * Offers chunks, which the other engine then reads.
 *
 * @param offsets Tokens of each chunk.
 */
export function peerPutRequest(
  sender_id: string,
  keys: readonly string[],
  offsets: readonly number[],
): Uint8Array {
  const mem_indexes = keys.map((_, i) => i);
  return encodeLmcacheMessage({
    ...{ type: 'BatchedLookupAndPutMsg', sender_id, keys, offsets, mem_indexes },
  });
}

export function peerPutResponse(num_read_chunks: number): Uint8Array {
  return encodeLmcacheMessage({ type: 'BatchedLookupAndPutRetMsg', num_read_chunks });
}

/** @param error_code One of `peerErrors`. */
export function peerError(error_code: number): Uint8Array {
  return encodeLmcacheMessage({ type: 'P2PErrorMsg', error_code });
}
