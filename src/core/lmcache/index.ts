// LMCache's control plane: how it names chunks of tokens, and the directory of who has which chunk.
export { blake3 } from './blake3.ts';
export {
  ChunkDirectory,
  type ChunkKey,
  type EventBatch,
  type Instance,
  type Placement,
} from './chunk-directory.ts';
export { chunkHashes } from './chunk-hashes.ts';
