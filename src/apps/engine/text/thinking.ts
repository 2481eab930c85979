// Generates reasoning before the answer, and separates them again.
import { type Random, randomInteger } from '../../../core/base/index.ts';
import type { TokenSource } from '../sequences/token-source.ts';

/** The mark with which Qwen3, DeepSeek-R1 and others end their reasoning. */
export const thinkingEnd = '</think>';
export const thinkingStart = '<think>';

/** Length of reasoning in tokens: the minimum, and the range above it. */
const thinkingTokensMin = 64;
const thinkingTokensSpread = 128;

/**
 * Returns reasoning, its end, then the answer.
 *
 * @param options `end`: tokens of `</think>` and of the text after it.
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

/** Separates reasoning from the answer in streamed text. */
export class ReasoningSplitter {
  #isThinking: boolean;

  /** Whether the end mark is still to come. */
  get isThinking(): boolean {
    return this.#isThinking;
  }

  /** Text that may be the beginning of the end mark. */
  #held = '';

  /** @param thinks False if all of the text is the answer. */
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

/** Number of characters at the end of the text that could begin the mark. */
function beginningOfMark(text: string): number {
  for (let length = Math.min(text.length, thinkingEnd.length - 1); length > 0; length--) {
    if (thinkingEnd.startsWith(text.slice(-length))) return length;
  }
  return 0;
}
