// What is known of a response: the ids of its prompt, and of the tokens that its client has.
import { ShownText } from './shown-text.ts';
import type { StreamMemory } from './stream-memory.ts';
import { TokenList } from './token-list.ts';

/** Why tokens are not known: no room for them, none reported, or those of several choices. */
export type TranscriptLoss = 'transcript' | 'tokens' | 'choices';

export class Transcript {
  readonly #memory: StreamMemory;
  /** Undefined until there is a token: many streams have none. */
  #tokens: TokenList | undefined = undefined;
  /** Memory of `#tokens` when it was last accounted for. */
  #tokenBytes = 0;
  #shownTokens = 0;
  #reasoningTokens = 0;
  /** Texts that the client has. */
  readonly shown = new ShownText();
  /** What the client had before the first tool call. */
  #beforeCalls: { readonly tokens: number; readonly shown: ShownText } | undefined = undefined;
  #promptIds: string | undefined = undefined;
  /** -1 until they are counted. */
  #promptTokens = -1;
  #loss: TranscriptLoss | undefined = undefined;
  #countedBytes = 0;

  constructor(memory: StreamMemory) {
    this.#memory = memory;
  }

  /** Why the tokens are not known; undefined while they are. */
  get loss(): TranscriptLoss | undefined {
    return this.#loss;
  }

  /** Tokens of the response that an engine has reported. */
  get length(): number {
    return this.#tokens?.length ?? 0;
  }

  /** Tokens whose text the client has. */
  get shownTokens(): number {
    return this.#shownTokens;
  }

  /** Tokens up to the last one of the model's reasoning. */
  get reasoningTokens(): number {
    return this.#reasoningTokens;
  }

  get tokens(): TokenList {
    this.#tokens ??= new TokenList();
    return this.#tokens;
  }

  /** Ids of the prompt as JSON writes them, without brackets. */
  get promptIds(): string | undefined {
    return this.#promptIds;
  }

  /** 0 if they are not known. */
  get promptTokens(): number {
    if (this.#promptTokens < 0) this.#promptTokens = countOf(this.#promptIds ?? '');
    return this.#promptTokens;
  }

  push(id: number, isThought: boolean): void {
    if (this.#loss !== undefined) return;
    const { tokens } = this;
    tokens.push(id);
    if (isThought) this.#reasoningTokens = tokens.length;
    if (tokens.bytes > this.#tokenBytes) this.#account();
  }

  /** What the client had before the first tool call; undefined while there is none. */
  get beforeCalls(): { readonly tokens: number; readonly shown: ShownText } | undefined {
    return this.#beforeCalls;
  }

  /** The client has the text of all tokens so far. */
  show(): void {
    this.#shownTokens = this.length;
  }

  /** The client gets a part of a tool call, with its first token or after it. */
  beginCalls(): void {
    this.#beforeCalls ??= { tokens: this.#shownTokens, shown: this.shown.beforeCalls() };
  }

  /** Removes the tokens whose text the client does not have. */
  truncate(): void {
    this.#tokens?.truncate(this.#shownTokens);
    this.#reasoningTokens = Math.min(this.#reasoningTokens, this.#shownTokens);
  }

  keepPrompt(ids: string): void {
    if (this.#promptIds !== undefined || this.#loss !== undefined) return;
    this.#promptIds = ids;
    this.#promptTokens = -1;
    this.#account();
  }

  /** The tokens are not known any more. */
  forget(why: TranscriptLoss): void {
    if (this.#loss !== undefined) return;
    this.#loss = why;
    this.#tokens = undefined;
    this.#promptIds = undefined;
    this.close();
  }

  /** Returns the memory. */
  close(): void {
    if (this.#countedBytes > 0) this.#memory.resize(this.#countedBytes, 0);
    this.#countedBytes = 0;
  }

  #account(): void {
    this.#tokenBytes = this.#tokens?.bytes ?? 0;
    const bytes = this.#tokenBytes + (this.#promptIds?.length ?? 0);
    if (this.#memory.resize(this.#countedBytes, bytes)) this.#countedBytes = bytes;
    else this.forget('transcript');
  }
}

/** @param ids Numbers with commas between them. */
export function countOf(ids: string): number {
  let count = ids === '' ? 0 : 1;
  for (let at = ids.indexOf(','); at >= 0; at = ids.indexOf(',', at + 1)) count++;
  return count;
}

/** Whether it is what JSON writes between the brackets of a list of ids. */
export function isIdList(ids: string): boolean {
  return /^[\d,\s]+$/.test(ids);
}
