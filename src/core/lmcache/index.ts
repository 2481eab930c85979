// LMCache's control plane: how it names chunks of tokens, and the directory of who has which chunk.
export { blake3 } from './blake3.ts';
export {
  ChunkDirectory,
  type EventBatch,
  type Instance,
  type Placement,
} from './chunk-directory.ts';
export {
  chunkHashes,
  controllerChunkTokens,
  eachChunkHash,
  inProcessChunkHashes,
  noneHash,
} from './chunk-hashes.ts';
export { type ChunkKey, kvRank } from './chunk-key.ts';
export {
  type ControllerReply,
  decodeControllerReply,
  decodeOrder,
  decodeOrderReply,
  decodeWorkerMessage,
  encodeLmcacheMessage,
  type MessageValue,
  type OrderReply,
  type PeerMatch,
  type WorkerMessage,
  type WorkerOrder,
} from './controller-messages.ts';
export { PinTable, Quotas } from './fleet-policy.ts';
export {
  decodePeerMessage,
  type PeerMessage,
  peerError,
  peerErrors,
  peerGetRequest,
  peerGetResponse,
  peerInitRequest,
  peerInitResponse,
  peerPutRequest,
  peerPutResponse,
  peerSideRequest,
  peerSideResponse,
} from './peer-messages.ts';
export { errorMessage, handlePushed, handleRequest } from './worker-messages.ts';
export {
  type Holder,
  type Match,
  type Worker,
  WorkerRegistry,
  type WorkerRegistryOptions,
} from './worker-registry.ts';
