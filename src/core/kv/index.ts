// KV blocks: their names, and who holds them.
export {
  type ChainHash,
  chainRoot,
  hashBytesChain,
  hashTokenBlock,
  hashTokenChain,
} from './chain-hash.ts';
