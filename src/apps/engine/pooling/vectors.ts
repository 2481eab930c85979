// Synthetic vectors of prompts: normalized, constant for a prompt, and the nearer the more tokens two prompts share.
import { seededRandom } from '../../../core/base/index.ts';
import { chainRoot, hashTokenBlock } from '../../../core/kv/index.ts';
import type { PoolingOptions } from '../options.ts';

/** Values to which each token contributes: more would cost more time and change the angles little. */
const valuesPerToken = 64;
/** Share of a vector that no other prompt shares. */
const ownShare = 0.35;

/**
 * Each distinct token has a fixed sparse direction; the vector is their sum, with a part that depends on the whole prompt.
 *
 * Special tokens, which all prompts share, say nothing.
 *
 * @returns Shape [dimensions], of length 1.
 */
export function promptVector(
  prompt: readonly number[],
  { dimensions: size, specials }: Pick<PoolingOptions, 'dimensions' | 'specials'>,
  seed: number,
): Float64Array {
  const shared = new Set(specials && [specials.begin, ...specials.between, specials.end]);
  const tokens = prompt.filter((token) => !shared.has(token));
  const vector = new Float64Array(size);
  for (const token of new Set(tokens)) {
    const random = seededRandom(hashOf([token], seed));
    for (let i = 0; i < valuesPerToken; i++) {
      const at = Math.floor(random.next() * size);
      vector[at] = (vector[at] ?? 0) + (random.next() < 0.5 ? -1 : 1);
    }
  }
  normalize(vector, Math.sqrt(1 - ownShare ** 2));
  const own = new Float64Array(size);
  const random = seededRandom(hashOf(tokens, seed));
  for (let i = 0; i < size; i++) own[i] = random.next() * 2 - 1;
  normalize(own, ownShare);
  for (let i = 0; i < size; i++) vector[i] = (vector[i] as number) + (own[i] as number);
  return normalize(vector, 1);
}

/** The first values of a vector, normalized again: a vector of fewer dimensions. */
export function shortened(vector: Float64Array, size: number): Float64Array {
  return size >= vector.length ? vector : normalize(vector.slice(0, size), 1);
}

/** The cosine of the angle between two vectors of length 1. */
export function cosine(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function normalize(vector: Float64Array, length: number): Float64Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const scale = squares === 0 ? 0 : length / Math.sqrt(squares);
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] as number) * scale;
  return vector;
}

/** Constant numbers for a prompt, one for each class, mostly from -4 to 4. */
export function promptLogits(tokens: readonly number[], classes: number, seed: number): number[] {
  const random = seededRandom(hashOf(tokens, seed));
  return Array.from({ length: classes }, () => 8 * (random.next() - 0.5));
}

function hashOf(tokens: readonly number[], seed: number): number {
  const key = hashTokenBlock(chainRoot, [seed], 0, 1);
  return hashTokenBlock(key, tokens, 0, tokens.length);
}
