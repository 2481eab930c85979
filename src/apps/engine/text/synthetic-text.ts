// Generates meaningless text in sentences; equal seeds give equal words.
import { type Random, randomInteger } from '../../../core/base/index.ts';
import type { TokenSource } from '../sequences/token-source.ts';
import type { WordList } from './word-list.ts';

export interface SyntheticTextOptions {
  readonly words: Pick<WordList, 'words' | 'openers' | 'capitals'> & Partial<WordList>;
  readonly random: Random;
  /** The token that ends the response; never returned when undefined (`ignore_eos`). */
  readonly endToken: number | undefined;
  /** Minimum number of tokens before the end token. */
  readonly tokensMin: number;
}

/** Approximate length at which responses end by themselves, as a chat model's do, in tokens. */
const responseTokensMedian = 180;
const responseTokensMax = 2048;

/** Sentences of 5 to 16 words with a comma here and there, then the end token. */
export function syntheticText(options: SyntheticTextOptions): TokenSource {
  const { words, random, endToken } = options;
  const pick = (list: readonly number[]): number =>
    list[randomInteger(random, list.length)] as number;
  let left = Math.max(options.tokensMin, responseLength(random));
  let wordsLeft = sentenceLength(random);
  let isStart = true;
  let isFirst = true;
  return {
    next() {
      if (left-- <= 0 && isStart && endToken !== undefined) return endToken;
      if (wordsLeft === 0) {
        wordsLeft = sentenceLength(random);
        isStart = true;
        return words.stop ?? pick(words.words);
      }
      if (isStart) {
        const opener = pick(isFirst ? words.openers : words.capitals);
        isStart = false;
        isFirst = false;
        wordsLeft--;
        return opener;
      }
      if (wordsLeft > 2 && words.comma !== undefined && random.next() < 0.06) return words.comma;
      wordsLeft--;
      return pick(words.words);
    },
  };
}

function sentenceLength(random: Random): number {
  return 5 + randomInteger(random, 12);
}

/** Log-normal, like the lengths of chat responses (ShareGPT: sigma about 0.9). */
function responseLength(random: Random): number {
  const normal =
    Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  return Math.min(responseTokensMax, Math.round(responseTokensMedian * Math.exp(0.9 * normal)));
}
