// Which models of the catalogue a name most likely means.
import { bareCheckpointName } from './precision.ts';

/** Share of common pairs of letters from which two names are similar. */
const similarityMin = 0.5;
/** Share from which one is the other, misspelt. */
const misspeltMin = 0.85;
/** Models of a family that are smaller or larger by more say little of each other. */
const kinDistanceMax = Math.log(4);
/** Words of names that say nothing of a family. */
const plainWords = new Set(
  'org instruct chat base large small medium mini nano tiny model models data cross encoder decoder coder embedding reranker thinking preview text code turbo latest test hub cache snapshots weights huggingface'.split(
    ' ',
  ),
);
const wordLettersMin = 3;

/** The names of the catalogue that are nearest to one that it lacks. */
export interface NearestModels {
  /** The most similar first. */
  readonly names: readonly string[];
  /** Whether one is similar or shares the word of a family; otherwise they are near in size, or in a few letters. */
  readonly areSimilar: boolean;
}

/** A model that is known. */
export interface KnownModel {
  /** Hugging Face id. */
  readonly name: string;
  /** Billions of parameters. @default as its name says */
  readonly billions?: number | undefined;
}

/**
 * Returns the names that most likely were misspelt, then those of the same family, nearest to the size in the name first; if no name is similar
 * and of a similar size, those that are nearest to the size.
 *
 * @example nearestModels('gpt-4o', [{ name: 'openai/gpt-oss-20b' }, { name: 'microsoft/phi-4' }], 1);
 * // { names: ['openai/gpt-oss-20b'], areSimilar: true }
 */
export function nearestModels(
  name: string,
  known: readonly KnownModel[],
  count = 3,
): NearestModels {
  const wanted = [pairsOf(lastPart(bareCheckpointName(name))), pairsOf(name)] as const;
  const words = new Set(wordsOf(name));
  const size = sizeIn(name);
  const ranked = known.map(({ name: other, billions }) => {
    const similarity = Math.max(
      shared(wanted[0], pairsOf(lastPart(other))),
      shared(wanted[1], pairsOf(other)),
    );
    const distance = size === undefined ? 0 : sizeDistance(size, sizeIn(other) ?? billions);
    const isMisspelt = similarity >= misspeltMin && distance <= kinDistanceMax;
    const isKin = similarity >= similarityMin || wordsOf(other).some((word) => words.has(word));
    return {
      ...{ other, similarity, distance },
      rank: isMisspelt ? 2 : Number(isKin && distance <= kinDistanceMax),
    };
  });
  const names = ranked
    .toSorted(
      (a, b) =>
        b.rank - a.rank ||
        (b.rank === 2 ? b.similarity - a.similarity : 0) ||
        a.distance - b.distance ||
        b.similarity - a.similarity,
    )
    .slice(0, count)
    .map(({ other }) => other);
  return { names, areSimilar: ranked.some(({ rank }) => rank > 0) };
}

/** Billions of parameters, as names state them. @example sizeIn('Foo-1.5B-chat'); // 1.5 */
function sizeIn(name: string): number | undefined {
  const [, size] = /(?:^|[^a-z0-9.])(\d+(?:\.\d+)?)b(?![a-z0-9])/i.exec(name) ?? [];
  return size === undefined ? undefined : Number(size);
}

/** How many times one size is the other, as a logarithm. Names without a size are farthest. */
function sizeDistance(size: number, other: number | undefined): number {
  return other === undefined ? Number.MAX_VALUE : Math.abs(Math.log(size / other));
}

/** @example listed(['A', 'B', 'C'], 'or'); // 'A, B or C' */
export function listed(names: readonly string[], word: string): string {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} ${word} ${last}`;
}

/** @example wordsOf('meta-llama/Llama-3-8B'); // ['meta', 'llama', 'llama'] */
function wordsOf(name: string): string[] {
  return name
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word.length >= wordLettersMin && !plainWords.has(word));
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

/** Pairs of adjacent letters and digits, each as often as it occurs. */
function pairsOf(name: string): Map<string, number> {
  const letters = name.toLowerCase().replace(/[^a-z0-9]/g, '');
  const pairs = new Map<string, number>();
  for (let i = 0; i + 1 < letters.length; i++) {
    const pair = letters.slice(i, i + 2);
    pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
  }
  return pairs;
}

/** Dice's coefficient: twice the common pairs over all pairs, in [0, 1]. */
function shared(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  let common = 0;
  for (const [pair, times] of a) common += Math.min(times, b.get(pair) ?? 0);
  const all = total(a) + total(b);
  return all === 0 ? 0 : (2 * common) / all;
}

function total(pairs: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const times of pairs.values()) sum += times;
  return sum;
}
