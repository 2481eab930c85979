// Generates reasoning before the answer, and separates them again.
import type { Tokenizer } from '../../../core/tokenizer/index.ts';
import type { TokenSource } from '../sequences/token-source.ts';
import type { TokenHistory } from './token-history.ts';

/** The mark with which Qwen3, DeepSeek-R1 and others end their reasoning. */
export const thinkingEnd = '</think>';
export const thinkingStart = '<think>';

/** Share of the sentences of reasoning that end it: 11 sentences on average. */
const lastThoughtShare = 0.09;
const endPurpose = 1000;

/**
 * Returns reasoning, its end, then the answer.
 *
 * @param options `end`: tokens of `</think>` and of the text after it. `stop`: the token that ends a
 *   sentence; reasoning ends after one.
 */
export function thinkFirst(options: {
  readonly thoughts: TokenSource;
  readonly end: readonly number[];
  readonly stop: number | undefined;
  readonly answer: TokenSource;
  readonly history: TokenHistory;
}): TokenSource {
  const { thoughts, end, stop, answer, history } = options;
  let isOver = false;
  return {
    next(output, draw) {
      if (isOver) return answer.next(output, draw);
      history.follow(output);
      const at = begun(history, end, stop);
      isOver = at === end.length;
      if (isOver) return answer.next(output, draw);
      if (at > 0) return end[at] as number;
      const mayEnd = stop === undefined || history.back(1) === stop;
      if (mayEnd && history.draw(endPurpose) < lastThoughtShare) return end[0] as number;
      return thoughts.next(output, draw);
    },
  };
}

/** Number of tokens of `end` that the history ends with, after a whole sentence. */
function begun(history: TokenHistory, end: readonly number[], stop: number | undefined): number {
  for (let length = end.length; length > 0; length--) {
    const isAfterStop = stop === undefined || history.back(length + 1) === stop;
    if (isAfterStop && end.slice(0, length).every((id, i) => history.back(length - i) === id)) {
      return length;
    }
  }
  return 0;
}

/**
 * Whether a prompt ends after the reasoning of its last message, as when a response is continued.
 *
 * @see vllm/parser/qwen3.py, `is_reasoning_end`
 */
export function isReasoningOver(tokenizer: Tokenizer, prompt: readonly number[]): boolean {
  const [start, end] = [tokenizer.tokenId(thinkingStart), tokenizer.tokenId(thinkingEnd)];
  for (let i = prompt.length - 1; i >= 0; i--) {
    const id = prompt[i] as number;
    if (id === end) return true;
    if (id === start || tokenizer.isSpecial(id)) return false;
  }
  return false;
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
