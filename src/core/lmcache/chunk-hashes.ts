// The names of the chunks of a prompt in LMCache's multiprocess mode: each one's hash continues that of the chunk before.
import { blake3 } from './blake3.ts';

/** `blake3(be64(0) ‖ be32(0))`: the parent of every first chunk. */
const root = blake3(new Uint8Array(12));

/**
 * @param chunkTokens Tokens of a chunk; a rest has no name.
 * @returns A hash in hex for each whole chunk.
 */
export function chunkHashes(tokens: readonly number[], chunkTokens = 256): readonly string[] {
  const hashes: string[] = [];
  let parent = root;
  for (let from = 0; from + chunkTokens <= tokens.length; from += chunkTokens) {
    const bytes = new Uint8Array(parent.length + 4 * chunkTokens);
    bytes.set(parent);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < chunkTokens; i++) {
      view.setUint32(parent.length + 4 * i, tokens[from + i] as number, false);
    }
    parent = blake3(bytes);
    hashes.push(Array.from(parent, (byte) => byte.toString(16).padStart(2, '0')).join(''));
  }
  return hashes;
}
