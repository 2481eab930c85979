// Generates meaningless text in sentences. Each token follows from all tokens before it.
import type { TokenSource } from '../sequences/token-source.ts';
import type { TokenHistory } from './token-history.ts';
import type { WordList } from './word-list.ts';

export interface SyntheticTextOptions {
  readonly words: Pick<WordList, 'words' | 'openers' | 'capitals'> & Partial<WordList>;
  readonly history: TokenHistory;
  /** The token that ends the response; never returned when undefined (`ignore_eos`). */
  readonly endToken: number | undefined;
  /** Minimum number of tokens before the end token. */
  readonly tokensMin: number;
}

const sentenceTokensMin = 5;
const sentenceTokensMax = 16;
/**
 * Share of sentences that end a response: the median response then has 180 tokens, like those of chat models
 * (ShareGPT), as a sentence has 11.5 on average.
 */
const lastSentenceShare = 0.043;
const commaShare = 0.06;

const purposes = { word: 0, stop: 1, comma: 2, end: 3 } as const;

/** Sentences of 5 to 16 words with a comma here and there, then the end token. */
export function syntheticText(options: SyntheticTextOptions): TokenSource {
  const { words, history, endToken, tokensMin } = options;
  const { stop, comma } = words;
  const inSentence = sentenceTokens(words);
  return {
    next(output, draw = 0) {
      history.follow(output);
      const chance = (purpose: number) => history.draw(purpose + draw * 4);
      const pick = (list: readonly number[]) =>
        list[Math.floor(chance(purposes.word) * list.length)] as number;
      const length = sentenceLength(history, inSentence);
      if (length === 0) {
        if (stop === undefined || history.back(1) !== stop) return pick(words.openers);
        const mayEnd = endToken !== undefined && output.length >= tokensMin;
        if (mayEnd && chance(purposes.end) < lastSentenceShare) return endToken;
        return pick(words.capitals);
      }
      if (stop !== undefined && length >= sentenceTokensMin) {
        // Makes each length equally frequent.
        const left = sentenceTokensMax + 1 - length;
        if (chance(purposes.stop) * left < 1) return stop;
      }
      const mayPause = length < sentenceTokensMax - 1 && history.back(1) !== comma;
      if (comma !== undefined && mayPause && chance(purposes.comma) < commaShare) return comma;
      return pick(words.words);
    },
  };
}

/** Number of tokens of the sentence that the history ends with; at most `sentenceTokensMax`. */
function sentenceLength(history: TokenHistory, inSentence: ReadonlySet<number>): number {
  let length = 0;
  while (length < sentenceTokensMax && inSentence.has(history.back(length + 1) ?? -1)) length++;
  return length;
}

const sentenceTokensOf = new WeakMap<object, ReadonlySet<number>>();

/** All tokens of sentences but the stop; built once per list of words. */
function sentenceTokens(words: SyntheticTextOptions['words']): ReadonlySet<number> {
  let tokens = sentenceTokensOf.get(words);
  if (tokens === undefined) {
    const all = new Set([...words.words, ...words.openers, ...words.capitals]);
    if (words.comma !== undefined) all.add(words.comma);
    if (words.stop !== undefined) all.delete(words.stop);
    tokens = all;
    sentenceTokensOf.set(words, tokens);
  }
  return tokens;
}
