// Codecs of the protocols that engines and clients speak.
export { KvEventFormatError } from './errors.ts';
export type {
  AllBlocksClearedEvent,
  BlockRemovedEvent,
  BlockStoredEvent,
  EventBlockHash,
  EventExtraKey,
  KvEvent,
  KvEventBatch,
  UnknownKvEvent,
} from './kv-events.ts';
export { decodeKvEventBatch } from './kv-events-decode.ts';
export { encodeKvEventBatch } from './kv-events-encode.ts';
