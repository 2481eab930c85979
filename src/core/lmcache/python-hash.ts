// The hash function of CPython, with which LMCache in an engine names its chunks by default ("builtin").

const mask = (1n << 64n) - 1n;
/** https://github.com/python/cpython/blob/3.11/Objects/tupleobject.c, after xxHash64. */
const prime1 = 11400714785074694791n;
const prime2 = 14029467366897019727n;
const prime5 = 2870177450012600261n;
const lengthSalt = prime5 ^ 3527539n;
/** Integers are hashed modulo this Mersenne prime. */
const modulus = (1n << 61n) - 1n;

/** `hash(value)` of an integer. */
function hashInteger(value: bigint): bigint {
  const rest = value < 0n ? -(-value % modulus) : value % modulus;
  return rest === -1n ? -2n : rest;
}

/** `hash((…))` of a tuple whose items have these hashes. */
function hashTuple(items: readonly bigint[]): bigint {
  let value = prime5;
  for (const item of items) {
    value = (value + BigInt.asUintN(64, item) * prime2) & mask;
    value = ((value << 31n) | (value >> 33n)) & mask;
    value = (value * prime1) & mask;
  }
  return tupleEnd(value, items.length);
}

function tupleEnd(value: bigint, length: number): bigint {
  const sum = (value + (BigInt(length) ^ lengthSalt)) & mask;
  return sum === mask ? 1546275796n : BigInt.asIntN(64, sum);
}

const low = (value: bigint) => Number(value & 0xffffffffn);
const high = (value: bigint) => Number(value >> 32n);
const [prime1Low, prime1High] = [low(prime1), high(prime1)];
const [prime2Low, prime2High] = [low(prime2), high(prime2)];

/**
 * `hash(tuple(tokens[from:to]))`. In halves of 32 bits, because BigInt takes thirty times as long.
 *
 * @param tokens Each in [0, 2^32).
 */
function hashTokens(tokens: ArrayLike<number>, from: number, to: number): bigint {
  let lo = low(prime5);
  let hi = high(prime5);
  for (let i = from; i < to; i++) {
    const token = tokens[i] as number;
    // value += token * prime2
    const sum = lo + (Math.imul(token, prime2Low) >>> 0);
    hi =
      (hi +
        highProduct(token, prime2Low) +
        Math.imul(token, prime2High) +
        (sum > 0xffffffff ? 1 : 0)) >>>
      0;
    lo = sum >>> 0;
    // value = rotl(value, 31)
    const [oldLow, oldHigh] = [lo, hi];
    lo = ((oldLow << 31) | (oldHigh >>> 1)) >>> 0;
    hi = ((oldHigh << 31) | (oldLow >>> 1)) >>> 0;
    // value *= prime1
    hi = (highProduct(lo, prime1Low) + Math.imul(lo, prime1High) + Math.imul(hi, prime1Low)) >>> 0;
    lo = Math.imul(lo, prime1Low) >>> 0;
  }
  return tupleEnd((BigInt(hi) << 32n) | BigInt(lo), to - from);
}

/** The upper 32 bits of a product of two 32-bit numbers; each step is exact in a double. */
function highProduct(a: number, b: number): number {
  const lower = a * (b & 0xffff);
  const upper = a * (b >>> 16);
  return Math.floor((upper + Math.floor(lower / 65_536)) / 65_536);
}

const noExtraKeys = hashTuple([]);

/** `hash((parent, tuple(tokens[from:to]), ()))`. */
export function hashChunk(
  parent: bigint,
  tokens: ArrayLike<number>,
  from: number,
  to: number,
): bigint {
  return hashTuple([hashInteger(parent), hashTokens(tokens, from, to), noExtraKeys]);
}

/**
 * `hash(text)` of an ASCII text under a seed, as CPython 3.11 and later compute it: SipHash-1-3.
 *
 * @param seed PYTHONHASHSEED, in [0, 2^32).
 */
export function hashText(text: string, seed: number): bigint {
  if (text === '') return 0n;
  const [key0, key1] = secretOf(seed);
  const bytes = new TextEncoder().encode(text);
  let [v0, v1] = [key0 ^ 0x736f6d6570736575n, key1 ^ 0x646f72616e646f6dn];
  let [v2, v3] = [key0 ^ 0x6c7967656e657261n, key1 ^ 0x7465646279746573n];
  const rotated = (value: bigint, bits: bigint) =>
    ((value << bits) | (value >> (64n - bits))) & mask;
  const round = () => {
    v0 = (v0 + v1) & mask;
    v1 = rotated(v1, 13n) ^ v0;
    v0 = rotated(v0, 32n);
    v2 = (v2 + v3) & mask;
    v3 = rotated(v3, 16n) ^ v2;
    v0 = (v0 + v3) & mask;
    v3 = rotated(v3, 21n) ^ v0;
    v2 = (v2 + v1) & mask;
    v1 = rotated(v1, 17n) ^ v2;
    v2 = rotated(v2, 32n);
  };
  for (let at = 0; at <= bytes.length; at += 8) {
    let word = 0n;
    const isLast = at + 8 > bytes.length;
    for (let i = 0; i < 8 && at + i < bytes.length; i++) {
      word |= BigInt(bytes[at + i] as number) << BigInt(8 * i);
    }
    if (isLast) word |= BigInt(bytes.length & 0xff) << 56n;
    v3 ^= word;
    round();
    v0 ^= word;
  }
  v2 ^= 0xffn;
  for (let i = 0; i < 3; i++) round();
  const hash = BigInt.asIntN(64, v0 ^ v1 ^ v2 ^ v3);
  return hash === -1n ? -2n : hash;
}

/** The key that CPython derives from a seed; seed 0 turns hash randomization off. */
function secretOf(seed: number): readonly [bigint, bigint] {
  if (seed === 0) return [0n, 0n];
  const words: [bigint, bigint] = [0n, 0n];
  let state = seed >>> 0;
  for (let i = 0; i < 16; i++) {
    state = (Math.imul(state, 214013) + 2531011) >>> 0;
    const word = i < 8 ? 0 : 1;
    words[word] |= BigInt((state >>> 16) & 0xff) << BigInt(8 * (i % 8));
  }
  return words;
}
