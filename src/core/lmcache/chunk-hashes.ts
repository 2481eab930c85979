// The names of the chunks of a prompt, in LMCache's multiprocess mode and in an engine's process. Each one's hash
// continues that of the chunk before.
import { blake3 } from './blake3.ts';
import { hashChunk, hashText } from './python-hash.ts';

/** `blake3(be64(0) ‖ be32(0))`: the parent of every first chunk. */
const root = blake3(new Uint8Array(12));

/**
 * @param chunkTokens Tokens of a chunk; a rest has no name.
 * @returns A hash in hex for each whole chunk.
 */
export function chunkHashes(tokens: readonly number[], chunkTokens = 256): readonly string[] {
  return [...eachChunkHash(tokens, chunkTokens)];
}

/**
 * The same, one by one: a hash takes 0.2 ms.
 *
 * @param after Continues behind so many chunks, the last of which has this hash.
 */
export function* eachChunkHash(
  tokens: ArrayLike<number>,
  chunkTokens = 256,
  after?: { readonly chunks: number; readonly hash: string },
): Generator<string, undefined> {
  let parent = after === undefined ? root : bytesOf(after.hash);
  for (
    let from = (after?.chunks ?? 0) * chunkTokens;
    from + chunkTokens <= tokens.length;
    from += chunkTokens
  ) {
    const bytes = new Uint8Array(parent.length + 4 * chunkTokens);
    bytes.set(parent);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < chunkTokens; i++) {
      view.setUint32(parent.length + 4 * i, tokens[from + i] as number, false);
    }
    parent = blake3(bytes);
    yield Array.from(parent, (byte) => byte.toString(16).padStart(2, '0')).join('');
  }
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) =>
    Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16),
  );
}

/** Tokens of a chunk, which LMCache's controller takes for granted. */
export const controllerChunkTokens = 256;

/**
 * The parent of every first chunk in engines that run vLLM (`NONE_HASH`).
 *
 * @param seed PYTHONHASHSEED of the engines, which must be set for their names to agree.
 */
export function noneHash(seed: number): bigint {
  return hashText(String(seed), seed);
}

/**
 * Names chunks like LMCache 0.5 in an engine's process, with `pre_caching_hash_algorithm: builtin`, its default.
 *
 * @param root `noneHash(seed)`; 0 without vLLM.
 * @param chunkTokens Tokens of a chunk; a rest has no name.
 * @returns A signed 64-bit hash for each whole chunk.
 */
export function inProcessChunkHashes(
  tokens: ArrayLike<number>,
  root: bigint,
  chunkTokens = controllerChunkTokens,
): readonly bigint[] {
  const hashes: bigint[] = [];
  let parent = root;
  for (let to = chunkTokens; to <= tokens.length; to += chunkTokens) {
    parent = hashChunk(parent, tokens, to - chunkTokens, to);
    hashes.push(parent);
  }
  return hashes;
}
