// An engine that repeats what the client has before it goes on: its tokens are compared, and what the client has is
// removed from its events.
import { jsonLength, type ShownText, textAfter } from './shown-text.ts';
import type { Delta, StreamChoice, ToolCallDelta } from './stream-event.ts';
import type { TokenList } from './token-list.ts';

export class Replay {
  readonly #tokens: TokenList;
  /** Tokens that were known when the engine began; the list grows. */
  readonly #known: number;
  /** Tokens of the response that the engine has repeated, or got with its prompt. */
  #length: number;
  readonly #shown: ShownText;
  /** What the engine has repeated of it. */
  readonly #repeated: ShownText;

  /** @param repeated What the engine does not repeat, because its prompt has it; it changes. */
  constructor(tokens: TokenList, length: number, shown: ShownText, repeated: ShownText) {
    this.#tokens = tokens;
    this.#known = tokens.length;
    this.#length = length;
    this.#shown = shown;
    this.#repeated = repeated;
  }

  /** Whether the engine has repeated all tokens. */
  get isOver(): boolean {
    return this.#length >= this.#known;
  }

  /** @returns Whether the next token is the one that the first engine wrote. */
  takes(id: number): boolean {
    return this.#tokens.at(this.#length++) === id;
  }

  /**
   * Removes from a choice what the client has.
   *
   * @returns Whether what remains can follow it.
   */
  trim(choice: StreamChoice): boolean {
    const { delta } = choice;
    if (typeof choice.text === 'string') {
      const rest = this.#rest('content', choice.text);
      if (rest === undefined) return false;
      choice.text = rest;
    }
    return delta === undefined || (this.#trimTexts(delta) && this.#trimCalls(delta));
  }

  /** Whether the client has nothing that the engine has not repeated. */
  get isWhole(): boolean {
    const { content, reasoning, calls } = this.#shown;
    return (
      this.isOver &&
      this.#repeated.content >= content &&
      this.#repeated.reasoning >= reasoning &&
      calls.every((length, i) => (this.#repeated.calls[i] ?? -1) >= length)
    );
  }

  #trimTexts(delta: Delta): boolean {
    const content = this.#restIn('content', delta.content);
    // Servers that write the reasoning under both names write the same text twice.
    const reasoning = this.#restIn('reasoning', delta.reasoning ?? delta.reasoning_content);
    if (content === undefined || reasoning === undefined) return false;
    setText(delta, 'content', content);
    setText(delta, 'reasoning', reasoning);
    setText(delta, 'reasoning_content', reasoning);
    return true;
  }

  #trimCalls(delta: Delta): boolean {
    if (delta.tool_calls === undefined) return true;
    const rest: ToolCallDelta[] = [];
    for (const call of delta.tool_calls) {
      const index = call.index ?? 0;
      const isKnown = this.#shown.calls[index] !== undefined;
      const text = call.function?.arguments ?? '';
      const had = this.#repeated.calls[index] ?? 0;
      const shown = this.#shown.calls[index] ?? 0;
      const left = restOf(text, had, shown);
      if (left === undefined) return false;
      this.#repeated.calls[index] = had + jsonLength(text);
      if (!isKnown) rest.push(call);
      else if (left !== '') rest.push({ index, function: { arguments: left } });
    }
    if (rest.length > 0) delta.tool_calls = rest;
    else {
      delete delta.tool_calls;
      // vLLM writes a null content with a part of a call.
      if (delta.content === null) delete delta.content;
    }
    return true;
  }

  /** The same for a text that may be missing or null, which stays as it is. */
  #restIn(which: 'content' | 'reasoning', text: unknown): string | undefined {
    return typeof text === 'string' ? this.#rest(which, text) : '';
  }

  #rest(which: 'content' | 'reasoning', text: string): string | undefined {
    const had = this.#repeated[which];
    this.#repeated[which] = had + jsonLength(text);
    return restOf(text, had, this.#shown[which]);
  }
}

/** Replaces a text that is there; one of which nothing is left is removed. */
function setText(delta: Delta, key: 'content' | 'reasoning' | 'reasoning_content', rest: string) {
  if (typeof delta[key] !== 'string' || delta[key] === '') return;
  if (rest === '') delete delta[key];
  else delta[key] = rest;
}

/** @returns Undefined if the client has a part of a character. */
function restOf(text: string, had: number, shown: number): string | undefined {
  return had >= shown ? text : had + jsonLength(text) <= shown ? '' : textAfter(text, shown - had);
}
