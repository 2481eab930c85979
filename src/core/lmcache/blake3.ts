// BLAKE3, the hash with which LMCache names chunks; Node has none.

const iv = Uint32Array.of(
  ...[0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a],
  ...[0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
);
const order = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const chunkBytes = 1024;
const blockBytes = 64;
const flags = { chunkStart: 1, chunkEnd: 2, parent: 4, root: 8 };

/**
 * Hashes bytes.
 *
 * @returns 32 bytes.
 * @see https://github.com/BLAKE3-team/BLAKE3-specs/blob/master/blake3.pdf
 */
export function blake3(bytes: Uint8Array): Uint8Array {
  const words = hashTree(bytes, 0, true);
  const out = new Uint8Array(32);
  const view = new DataView(out.buffer);
  for (let i = 0; i < 8; i++) view.setUint32(4 * i, words[i] as number, true);
  return out;
}

/** The chaining value of a subtree; its left half is the largest power of two of chunks that leaves something. */
function hashTree(bytes: Uint8Array, firstChunk: number, isRoot: boolean): Uint32Array {
  if (bytes.length <= chunkBytes) return hashChunk(bytes, firstChunk, isRoot);
  let left = chunkBytes;
  while (left * 2 < bytes.length) left *= 2;
  const block = new Uint32Array(16);
  block.set(hashTree(bytes.subarray(0, left), firstChunk, false), 0);
  block.set(hashTree(bytes.subarray(left), firstChunk + left / chunkBytes, false), 8);
  return compress(iv, block, 0, blockBytes, flags.parent | (isRoot ? flags.root : 0));
}

function hashChunk(bytes: Uint8Array, index: number, isRoot: boolean): Uint32Array {
  let value: Uint32Array = iv;
  const blocks = Math.max(1, Math.ceil(bytes.length / blockBytes));
  for (let i = 0; i < blocks; i++) {
    const part = bytes.subarray(i * blockBytes, (i + 1) * blockBytes);
    const padded = new Uint8Array(blockBytes);
    padded.set(part);
    const view = new DataView(padded.buffer);
    const block = Uint32Array.from({ length: 16 }, (_, word) => view.getUint32(4 * word, true));
    const isLast = i === blocks - 1;
    const own =
      (i === 0 ? flags.chunkStart : 0) |
      (isLast ? flags.chunkEnd : 0) |
      (isLast && isRoot ? flags.root : 0);
    value = compress(value, block, index, part.length, own);
  }
  return value;
}

function compress(
  chain: Uint32Array,
  block: Uint32Array,
  counter: number,
  length: number,
  flag: number,
): Uint32Array {
  const state = new Uint32Array(16);
  state.set(chain.subarray(0, 8), 0);
  state.set(iv.subarray(0, 4), 8);
  state[12] = counter >>> 0;
  state[13] = Math.floor(counter / 2 ** 32);
  state[14] = length;
  state[15] = flag;
  let message = block;
  for (let round = 0; round < 7; round++) {
    for (let i = 0; i < 4; i++) {
      mix(state, i, 4 + i, 8 + i, 12 + i, message[2 * i] ?? 0, message[2 * i + 1] ?? 0);
    }
    for (let i = 0; i < 4; i++) {
      const [x, y] = [message[8 + 2 * i] ?? 0, message[9 + 2 * i] ?? 0];
      mix(state, i, 4 + ((i + 1) % 4), 8 + ((i + 2) % 4), 12 + ((i + 3) % 4), x, y);
    }
    message = Uint32Array.from(order, (from) => message[from] as number);
  }
  return Uint32Array.from({ length: 8 }, (_, i) => (state[i] as number) ^ (state[i + 8] as number));
}

function mix(s: Uint32Array, a: number, b: number, c: number, d: number, x: number, y: number) {
  const get = (i: number) => s[i] as number;
  s[a] = get(a) + get(b) + x;
  s[d] = rotated(get(d) ^ get(a), 16);
  s[c] = get(c) + get(d);
  s[b] = rotated(get(b) ^ get(c), 12);
  s[a] = get(a) + get(b) + y;
  s[d] = rotated(get(d) ^ get(a), 8);
  s[c] = get(c) + get(d);
  s[b] = rotated(get(b) ^ get(c), 7);
}

function rotated(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}
