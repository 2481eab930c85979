// KV blocks: their names, who holds them, and the pool of one engine.
export { type BlockKey, BlockPool, type BlockPoolOptions } from './block-pool.ts';
export {
  type ChainHash,
  chainRoot,
  hashBytesChain,
  hashTokenBlock,
  hashTokenChain,
} from './chain-hash.ts';
