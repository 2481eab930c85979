// Reasoning before the answer: where it is written, and where it is read again.
import { type Random, randomInteger } from '../../../core/base/index.ts';
import type { TokenSource } from './token-source.ts';

/** How Qwen3, DeepSeek-R1 and others end their reasoning. */
export const thinkingEnd = '</think>';
export const thinkingStart = '<think>';

/** Reasoning is this long, in tokens: the least, and how much more it may be. */
const thinkingTokensMin = 64;
const thinkingTokensSpread = 128;

/**
 * Reasoning, its end, then the answer.
 *
 * @param options `end`: tokens of `</think>` and what follows it.
 */
export function thinkFirst(options: {
  readonly thoughts: TokenSource;
  readonly end: readonly number[];
  readonly answer: TokenSource;
  readonly random: Random;
}): TokenSource {
  const { thoughts, end, answer, random } = options;
  let left = thinkingTokensMin + randomInteger(random, thinkingTokensSpread);
  let at = 0;
  return {
    next() {
      if (left-- > 0) return thoughts.next();
      return end[at++] ?? answer.next();
    },
  };
}

/** Tells reasoning from answer in a text that streams in. */
export class ReasoningSplitter {
  #isThinking: boolean;

  /** Whether the end mark is still to come. */
  get isThinking(): boolean {
    return this.#isThinking;
  }

  /** What could be the beginning of the end mark. */
  #held = '';

  /** @param thinks False if all is answer. */
  constructor(thinks: boolean) {
    this.#isThinking = thinks;
  }

  push(text: string, isEnd: boolean): { readonly reasoning: string; readonly content: string } {
    if (!this.#isThinking) return { reasoning: '', content: text };
    const whole = this.#held + text;
    const at = whole.indexOf(thinkingEnd);
    if (at !== -1) {
      this.#isThinking = false;
      const content = whole.slice(at + thinkingEnd.length).trimStart();
      return { reasoning: whole.slice(0, at), content };
    }
    const kept = isEnd ? 0 : beginningOfMark(whole);
    this.#held = whole.slice(whole.length - kept);
    return { reasoning: whole.slice(0, whole.length - kept), content: '' };
  }
}

/** How many characters at the end of the text begin the mark. */
function beginningOfMark(text: string): number {
  for (let length = Math.min(text.length, thinkingEnd.length - 1); length > 0; length--) {
    if (thinkingEnd.startsWith(text.slice(-length))) return length;
  }
  return 0;
}
