// Prompts rebuilt from block ids: equal ids give equal text, and the text has exactly as many tokens as in
// the trace, because each of its words is one token in any position.
import { LruMap, randomInteger, seededRandom } from '../../core/base/index.ts';

/** A word that is one token in any context of other such words. */
export interface PromptWord {
  /** Lower-case letters, without the space before the word. */
  readonly text: string;
  /** Id of the token " word", space included. */
  readonly tokenId: number;
}

/** Number of blocks whose text is kept, about 3 KB each; the least recently used is dropped first. */
const cachedBlocksMax = 2048;

/** Writes the text or the token ids of a prompt. */
export interface BlockWriter {
  /**
   * Returns the first `tokens` words of the blocks, joined by spaces, without a leading space.
   *
   * @throws {RangeError} If the blocks have fewer than `tokens` tokens.
   */
  text(blockIds: readonly number[], tokens: number): string;
  /** Returns exactly `tokens` token ids of the same words. */
  tokenIds(blockIds: readonly number[], tokens: number): number[];
}

/**
 * Creates a writer of prompts.
 *
 * The first words of a block spell its id in base `words.length`, lowest digit first, so that two
 * different blocks differ within their first five words (4096 words; ids below 16 million: within
 * two); the others are drawn from a generator seeded by the id.
 *
 * @param options.words At least 2; see `chooseWords`.
 * @param options.seed Another seed gives other text for the same ids, for a run that must not hit the cache
 *   of an earlier run.
 * @example
 * const writer = createBlockWriter({ words, blockTokens: 512, seed: 0 });
 * writer.text([0, 14], 600).split(' ').length; // 600
 */
export function createBlockWriter(options: {
  readonly words: readonly PromptWord[];
  readonly blockTokens: number;
  readonly seed: number;
}): BlockWriter {
  const { words, blockTokens, seed } = options;
  if (words.length < 2) throw new RangeError('A prompt needs at least two different words');
  const texts = new LruMap<number, string>({ entriesMax: cachedBlocksMax });
  const wordAt = (index: number) => words[index] as PromptWord;

  const fullText = (id: number): string => {
    const cached = texts.get(id);
    if (cached !== undefined) return cached;
    const text = blockText(id, blockTokens);
    texts.set(id, text);
    return text;
  };
  const blockText = (id: number, tokens: number): string => {
    let text = '';
    for (const index of wordIndexes(id, tokens, words.length, seed)) {
      text += text === '' ? wordAt(index).text : ` ${wordAt(index).text}`;
    }
    return text;
  };
  return {
    text(blockIds, tokens) {
      return perBlock(blockIds, tokens, blockTokens)
        .map(({ id, count }) => (count === blockTokens ? fullText(id) : blockText(id, count)))
        .join(' ');
    },
    tokenIds(blockIds, tokens) {
      return perBlock(blockIds, tokens, blockTokens).flatMap(({ id, count }) =>
        wordIndexes(id, count, words.length, seed).map((index) => wordAt(index).tokenId),
      );
    },
  };
}

/**
 * Picks the words that are one token both with and without a space before them, in the order of
 * the vocabulary, which byte-pair encodings keep by frequency.
 *
 * @param candidates Texts of vocabulary entries with a plain leading space, e.g. " time".
 * @param encode The target's tokenizer, without special tokens.
 * @param wordsMax Stops after this many.
 */
export function chooseWords(
  candidates: Iterable<string>,
  encode: (text: string) => ArrayLike<number>,
  wordsMax = 4096,
): PromptWord[] {
  const words: PromptWord[] = [];
  for (const candidate of candidates) {
    if (words.length >= wordsMax) break;
    if (!/^ [a-z]{3,8}$/.test(candidate)) continue;
    const text = candidate.slice(1);
    const spaced = encode(candidate);
    // The first word of a prompt has no space before it.
    if (spaced.length !== 1 || encode(text).length !== 1) continue;
    words.push({ text, tokenId: spaced[0] as number });
  }
  return words;
}

/** Returns the number of tokens of each block in a prompt of `tokens` tokens. */
function perBlock(
  blockIds: readonly number[],
  tokens: number,
  blockTokens: number,
): { readonly id: number; readonly count: number }[] {
  if (tokens > blockIds.length * blockTokens) {
    throw new RangeError(
      `${blockIds.length} blocks of ${blockTokens} tokens hold no ${tokens} tokens`,
    );
  }
  return blockIds
    .slice(0, Math.ceil(tokens / blockTokens))
    .map((id, index) => ({ id, count: Math.min(blockTokens, tokens - index * blockTokens) }));
}

/** Returns the words of a block as indexes in [0, base); shape [tokens]. */
function wordIndexes(id: number, tokens: number, base: number, seed: number): number[] {
  const indexes: number[] = [];
  // Every id has as many digits as the largest safe integer, so different ids differ.
  const digits = Math.ceil(53 / Math.log2(base));
  let rest = id;
  // Each digit is shifted by a number that depends on the digits before it: the mapping stays one to one,
  // and the high digits of small ids are not all the same word.
  let state = Math.imul(seed ^ 0x51_7c_c1_b7, 0x9e3779b1);
  for (let i = 0; i < digits && i < tokens; i++) {
    const digit = rest % base;
    indexes.push((digit + (state >>> 0)) % base);
    state = Math.imul(state ^ (digit + 1), 0x85ebca6b);
    state ^= state >>> 13;
    rest = Math.floor(rest / base);
  }
  const random = seededRandom(state);
  while (indexes.length < tokens) indexes.push(randomInteger(random, base));
  return indexes;
}
