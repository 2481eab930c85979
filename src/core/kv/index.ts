// KV blocks: their names, the engines that hold them, and the block pool of one engine.

export {
  type BlockHashAlgorithm,
  type BlockHasher,
  blockHashAlgorithms,
  blockHashInteger,
  createBlockHasher,
  type ExtraKey,
} from './block-hash.ts';
export type { HashValue } from './block-hash-encoding.ts';
export type { BlockKey } from './block-key.ts';
export { type BlockObserver, BlockPool, type BlockPoolOptions } from './block-pool.ts';
export {
  type ChainHash,
  chainRoot,
  hashBytesChain,
  hashTokenBlock,
  hashTokenChain,
} from './chain-hash.ts';
export type { ChainScope } from './chain-scope.ts';
export type { KvIndexEngineOptions, KvKnowledge } from './engine-blocks.ts';
export type { ExpectedBlocks, ExpectedPrompt } from './expected-blocks.ts';
export { KvEventLog } from './kv-event-log.ts';
export { KvIndex, type KvIndexOptions, type KvIndexStats } from './kv-index.ts';
export { KvSequence, type KvSequenceScope } from './kv-sequence.ts';
export { syntheticKv } from './synthetic-kv.ts';
export { TierEventLog } from './tier-event-log.ts';
export type { KvTier } from './tier-tables.ts';
