// vLLM's names for KV blocks: chained SHA-256 over token ids, as its prefix cache computes them
// and its KV events carry them.
import { InputError } from '../base/index.ts';
import {
  type BlockEncoder,
  createCborEncoder,
  createPickleEncoder,
  type HashValue,
} from './block-hash-encoding.ts';
import { sha256 } from './sha256.ts';

/** Values of `--prefix-caching-hash-algo` that can be computed here. */
export const blockHashAlgorithms = ['sha256', 'sha256_cbor'] as const;

export type BlockHashAlgorithm = (typeof blockHashAlgorithms)[number];

/**
 * Keys that distinguish the KV of equal tokens, in the tagged form that vLLM has hashed since 0.32. Their
 * order within a block: adapter, images that reach into the block (offset relative to its
 * start, may be negative), cache salt (first block only), prompt embeddings.
 */
export type ExtraKey =
  | readonly ['lora', name: string, path: string]
  | readonly ['mm', identifier: string, offset: number]
  | readonly ['cache_salt', salt: string]
  | readonly ['prompt_embeds', digest: Uint8Array];

/** Seed of NONE_HASH when PYTHONHASHSEED is unset: vLLM since 0.29; random before. */
const defaultHashSeed = 'vllm-none-hash';

/** Names blocks like an engine with this algorithm and seed. */
export interface BlockHasher {
  readonly algorithm: BlockHashAlgorithm;
  /** NONE_HASH, the parent of every first block. */
  readonly noneHash: Uint8Array;
  /**
   * The 32-byte hash of one full block: `tokens[from, to)` after `parent`.
   *
   * @param parent Hash of the previous block; undefined for the first.
   * @param extraKeys Other input of the hash; undefined and empty are the same. Engines before 0.32
   *   hash bare values (salt, name, [identifier, offset], digest) in place of tagged tuples.
   */
  hashBlock(
    parent: Uint8Array | undefined,
    tokens: ArrayLike<number>,
    from: number,
    to: number,
    extraKeys?: readonly (ExtraKey | HashValue)[],
  ): Uint8Array;
}

/**
 * @param options.seed PYTHONHASHSEED of the engine, if set.
 * @throws {InputError} If `algorithm` is not one of `blockHashAlgorithms`.
 * @example
 * const hasher = createBlockHasher();
 * blockHashInteger(hasher.hashBlock(undefined, [0, 1, 2, …, 15], 0, 16)); // 3262291359910021016n
 */
export function createBlockHasher(
  options: { readonly algorithm?: string; readonly seed?: string } = {},
): BlockHasher {
  const algorithm = parseAlgorithm(options.algorithm ?? 'sha256');
  const encoder: BlockEncoder =
    algorithm === 'sha256' ? createPickleEncoder() : createCborEncoder();
  const seed = encoder.seed(options.seed ?? defaultHashSeed);
  const noneHash = sha256(seed.bytes, seed.length);
  return {
    algorithm,
    noneHash,
    hashBlock(parent, tokens, from, to, extraKeys) {
      const keys = extraKeys?.length ? extraKeys : undefined;
      const message = encoder.block(parent ?? noneHash, tokens, from, to, keys);
      return sha256(message.bytes, message.length);
    },
  };
}

/** The form of a block hash in KV events by default: its last 8 bytes as a big-endian integer. */
export function blockHashInteger(hash: Uint8Array): bigint {
  return new DataView(hash.buffer, hash.byteOffset + hash.byteLength - 8, 8).getBigUint64(0);
}

function parseAlgorithm(algorithm: string): BlockHashAlgorithm {
  const known = blockHashAlgorithms.find((name) => name === algorithm);
  if (known !== undefined) return known;
  const what = algorithm.startsWith('xxhash') ? 'is not supported here' : 'is unknown';
  throw new InputError(
    `The prefix caching hash algorithm "${algorithm}" ${what}; use ${blockHashAlgorithms.join(' or ')}.`,
  );
}
