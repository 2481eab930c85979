// Text that means nothing and looks like sentences; the same seed gives the same words.
import { type Random, randomInteger } from '../../../core/base/index.ts';
import type { TokenSource } from './token-source.ts';
import type { WordList } from './word-list.ts';

export interface SyntheticTextOptions {
  readonly words: Pick<WordList, 'words' | 'openers' | 'capitals'> & Partial<WordList>;
  readonly random: Random;
  /** The token that ends the answer; never given when undefined (`ignore_eos`). */
  readonly endToken: number | undefined;
  /** Tokens before the end token may come. */
  readonly tokensMin: number;
}

/** Answers end by themselves after about this many tokens, as a chat model's do. */
const answerTokensMedian = 180;
const answerTokensMax = 2048;

/** Sentences of 5 to 16 words with a comma here and there, then the end token. */
export function syntheticText(options: SyntheticTextOptions): TokenSource {
  const { words, random, endToken } = options;
  const pick = (list: readonly number[]): number =>
    list[randomInteger(random, list.length)] as number;
  let left = Math.max(options.tokensMin, answerLength(random));
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

/** Log-normal, as lengths of chat answers are (ShareGPT: sigma about 0.9). */
function answerLength(random: Random): number {
  const normal =
    Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  return Math.min(answerTokensMax, Math.round(answerTokensMedian * Math.exp(0.9 * normal)));
}
