// One streamed response that can move to another engine: remembers the tokens that the client has, and makes the
// stream of the next engine a continuation of the first one's.
import {
  type ContinuationRefusal,
  type Continued,
  continuationOf,
} from './continuation-request.ts';
import {
  type ChunksText,
  chunkOf,
  chunksText,
  endsWithEvent,
  joined,
  lastEventEnd,
} from './event-framing.ts';
import { readSingleToken, singleToken } from './single-token-event.ts';
import {
  hasCalls,
  idsOf,
  isEmpty,
  isReasoning,
  isVisible,
  type ParsedEvent,
  parseEvent,
  type StreamChoice,
  type StreamChunk,
  type StreamKind,
  withoutIds,
} from './stream-event.ts';
import { TokenList } from './token-list.ts';
import type { TranscriptBudget } from './transcript-budget.ts';

/** How an engine ended its stream early. */
export interface StreamFault {
  /**
   * `event`: it reported an error, aborted the request, or ended the stream without its end. `mismatch`: it did not
   * take the tokens that it was sent.
   */
  readonly kind: 'event' | 'mismatch';
  readonly message: string;
}

/** Why a stream cannot move. */
export type MigrationRefusal =
  | ContinuationRefusal
  | 'transcript'
  | 'tokens'
  | 'choices'
  | 'toolCalls';

export interface MigratableStreamOptions {
  readonly kind: StreamKind;
  /** Whether the router asked for token ids on its own: the client does not get them. */
  readonly hidesIds: boolean;
  readonly budget: TranscriptBudget;
}

/** Maximum bytes of an event, whose first one has the ids of the prompt; streams with longer ones do not move. */
const heldBytesMax = 4 * 1024 * 1024;

/** Statuses of error events that another engine may not return: too many requests, and all of servers. */
const busyStatus = 429;
const serverErrorMin = 500;

/** The fields that all chunks of one stream share. */
interface StreamHead {
  readonly id: unknown;
  readonly created: unknown;
  readonly model: unknown;
}

/**
 * Takes what arrives of a stream, as chunks of HTTP/1.1, and returns what the client gets: whole events in whole
 * chunks, so that the next engine's can follow.
 *
 * @example
 * const stream = new MigratableStream({ kind: 'chat', hidesIds: true, budget });
 * relay(stream.take(bytes, isBetweenChunks, isEnd));
 * // The engine dies:
 * const next = stream.continuation(body); // the body for another engine
 * stream.continueAt();
 * relay(stream.take(bytesOfTheOther, isBetweenChunks, isEnd));
 */
export class MigratableStream {
  readonly #kind: StreamKind;
  readonly #hidesIds: boolean;
  readonly #budget: TranscriptBudget;
  #tokens = new TokenList();
  /** Memory of `#tokens` when it was last accounted for. */
  #tokenBytes = 0;
  /** Number of tokens whose text the client has. */
  #shownTokens = 0;
  #reasoningTokens = 0;
  #promptIds: string | undefined = undefined;
  #promptTokens = 0;
  #head: StreamHead | undefined = undefined;
  /** Offset of the delta's first key in an event; 0 until it is known. */
  #deltaAt = 0;
  #hasRole = false;
  #isVisible = false;
  #hasCalls = false;
  #hasFinish = false;
  #hasUsage = false;
  #isDone = false;
  /** Bytes of an event whose end has not arrived. */
  readonly #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** Whether an event is too long to be held. */
  #isRaw = false;
  /** Why the tokens are not known; undefined while they are. */
  #unknown: 'transcript' | 'tokens' | 'choices' | undefined = undefined;
  #budgetBytes = 0;
  // Of the engine that continues.
  #isContinued = false;
  /** Tokens of the response that its prompt contains; -1 once it has confirmed them, or if there are none. */
  #unconfirmedTokens = -1;
  #tokensBefore = 0;
  #reasoningBefore = 0;
  #fault: StreamFault | undefined = undefined;
  /** What follows a fault, and whether the body ends with it. */
  #withheld: ChunksText | undefined = undefined;

  constructor(options: MigratableStreamOptions) {
    this.#kind = options.kind;
    this.#hidesIds = options.hidesIds;
    this.#budget = options.budget;
  }

  /** Set when the engine has reported that it cannot go on; the report itself is not passed on. */
  get fault(): StreamFault | undefined {
    return this.#fault;
  }

  /** Number of tokens of the response that the client has. */
  get shownTokens(): number {
    return this.#shownTokens;
  }

  /** Whether the client has the last event. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Whether an engine has continued the stream of another one. */
  get isContinued(): boolean {
    return this.#isContinued;
  }

  /**
   * @param bytes A read of the body; ids in it that are hidden are overwritten.
   * @param isBetweenChunks Whether a chunk ends with these bytes.
   * @param isEnd Whether the body does.
   * @returns What the client gets: often the same bytes; undefined for nothing.
   */
  take(bytes: Uint8Array, isBetweenChunks: boolean, isEnd: boolean): Uint8Array | undefined {
    if (this.#isRaw) return bytes;
    const end =
      isEnd || (isBetweenChunks && endsWithEvent(bytes)) ? bytes.length : lastEventEnd(bytes);
    if (end === bytes.length && this.#held.length === 0) return this.#takeWhole(bytes);
    if (end === 0) return this.#hold(bytes);
    const whole = joined([...this.#held, bytes.subarray(0, end)]);
    this.#held.length = 0;
    this.#heldBytes = 0;
    if (end < bytes.length) this.#hold(bytes.subarray(end));
    return this.#takeWhole(whole);
  }

  /** What remains to be sent if the engine failed after the response's last token; undefined if tokens are missing. */
  closing(includesUsage: boolean): Uint8Array | undefined {
    if (!this.#hasFinish) return undefined;
    let text = '';
    if (includesUsage && !this.#hasUsage) {
      if (this.#unknown !== undefined || this.#promptTokens === 0) return undefined;
      const details = this.#reasoningTokens > 0 && {
        completion_tokens_details: { reasoning_tokens: this.#reasoningTokens },
      };
      const usage = { ...this.#usage(this.#tokens.length), ...details };
      text += `data: ${JSON.stringify({ ...this.#head, choices: [], usage })}\n\n`;
    }
    if (!this.#isDone) text += 'data: [DONE]\n\n';
    return chunkOf(text, true);
  }

  /**
   * The request that continues the stream on another engine.
   *
   * @param body The request as the engines get it, with `return_token_ids`.
   */
  continuation(body: Uint8Array): Continued | MigrationRefusal {
    const { length } = this.#tokens;
    // What the client has not seen is computed again: a token may be a part of a character, which another
    // engine could not complete.
    if (!this.#hasFinish) this.#tokens.truncate(this.#shownTokens);
    const isFresh = !this.#isVisible;
    if (isFresh && this.#unknown !== 'choices') return { body, promptTokens: 0, sentTokens: 0 };
    if (this.#unknown !== undefined) return this.#unknown;
    if (this.#promptIds === undefined || length === 0) return 'tokens';
    if (this.#hasCalls) return 'toolCalls';
    return continuationOf(body, {
      kind: this.#kind,
      promptIds: this.#promptIds,
      promptTokens: this.#promptTokens,
      tokens: this.#tokens,
    });
  }

  /** The events that follow are those of the engine that got the result of `continuation`. */
  continueAt(): void {
    this.#isContinued = true;
    this.#held.length = 0;
    this.#heldBytes = 0;
    this.#fault = undefined;
    this.#withheld = undefined;
    this.#tokensBefore = this.#tokens.length;
    this.#reasoningBefore = Math.min(this.#reasoningTokens, this.#tokens.length);
    this.#unconfirmedTokens = this.#isVisible ? this.#tokens.length : -1;
  }

  /**
   * Gives up to move the stream: what follows is passed on as it is.
   *
   * @returns What a fault has held back, which the client gets now.
   */
  release(): Uint8Array | undefined {
    const withheld = this.#withheld;
    this.#withheld = undefined;
    this.#fault = undefined;
    this.#isRaw = true;
    if (withheld === undefined) return undefined;
    return chunkOf(withoutIds(withheld.text), withheld.isEnd);
  }

  /** The stream is over, and its memory is free. */
  close(): void {
    this.#budget.resize(this.#budgetBytes, 0);
    this.#budgetBytes = 0;
  }

  /** Keeps bytes of an event whose end has not arrived. @returns All of them, if they are too many. */
  #hold(bytes: Uint8Array): Uint8Array | undefined {
    // The bytes are valid during this call only, and the slice of a Buffer is no copy.
    this.#held.push(new Uint8Array(bytes));
    this.#heldBytes += bytes.length;
    if (this.#heldBytes <= heldBytesMax) return undefined;
    const all = joined(this.#held);
    this.#held.length = 0;
    this.#isRaw = true;
    this.#forget('transcript');
    return all;
  }

  /** @param bytes Whole events in whole chunks. */
  #takeWhole(bytes: Uint8Array): Uint8Array | undefined {
    if (
      this.#deltaAt > 0 &&
      !this.#isContinued &&
      readSingleToken(bytes, this.#kind, this.#deltaAt, this.#hidesIds)
    ) {
      const { id, isVisible: isShown, deltaKey } = singleToken;
      this.#push(id, deltaKey === byteR);
      if (isShown) {
        this.#isVisible = true;
        this.#shown();
      }
      return bytes;
    }
    return this.#takeEvents(bytes);
  }

  #takeEvents(bytes: Uint8Array): Uint8Array | undefined {
    const chunks = chunksText(bytes);
    if (chunks === undefined) {
      // Cannot happen with bytes of our own HTTP parser; they are passed on as they are.
      this.#forget('tokens');
      return bytes;
    }
    const { text, isEnd } = chunks;
    let out = '';
    let at = 0;
    while (at < text.length) {
      const end = text.indexOf('\n\n', at);
      const event = end < 0 ? text.slice(at) : text.slice(at, end + 2);
      const taken = this.#takeEvent(event);
      if (this.#fault !== undefined) break;
      out += taken;
      at += event.length;
    }
    if (isEnd && this.#endsEarly()) {
      this.#fault = { kind: 'event', message: 'it ended the stream before its end' };
    }
    if (this.#fault !== undefined) {
      this.#withheld = { text: text.slice(at), isEnd };
      return out === '' ? undefined : chunkOf(out);
    }
    return out === '' && !isEnd ? undefined : chunkOf(out, isEnd);
  }

  /** @returns The event that the client gets; nothing if it gets none. */
  #takeEvent(event: string): string {
    const parsed = parseEvent(event);
    switch (parsed.kind) {
      case 'other':
        if (!event.startsWith(':')) this.#passUnknown();
        return event;
      case 'done':
        this.#isDone = true;
        return event;
      case 'chunk':
        return this.#takeChunk(event, parsed);
    }
  }

  #takeChunk(event: string, parsed: Extract<ParsedEvent, { kind: 'chunk' }>): string {
    const { chunk } = parsed;
    const fault = faultOf(chunk);
    if (fault === 'client') return event;
    if (fault !== undefined) {
      this.#fault = fault;
      return '';
    }
    if (!Array.isArray(chunk.choices)) {
      this.#passUnknown();
      return event;
    }
    const promptTokens = parsed.promptIds === undefined ? 0 : countOf(parsed.promptIds);
    if (this.#isContinued && !this.#isConfirmed(chunk, promptTokens)) return '';
    const { choices = [] } = chunk;
    const choice = choices[0];
    if (choices.length > 1 || (choice?.index ?? 0) !== 0) this.#forget('choices');
    if (parsed.promptIds !== undefined && this.#tokensBefore === 0) {
      this.#keepPrompt(parsed.promptIds, promptTokens);
    }
    const isOpening = choice?.delta?.role !== undefined;
    const isRepeated = this.#isContinued && isOpening && this.#hasRole && !isVisible(choice);
    if (isOpening) this.#hasRole = true;
    if (choice !== undefined) this.#takeChoice(choice, event);
    else if (chunk.usage != null) this.#hasUsage = true;
    if (isRepeated) return '';
    const isOnlyIds = choice !== undefined && isEmpty(choice) && choice.token_ids != null;
    if (this.#hidesIds && isOnlyIds) return '';
    const { id, created, model } = chunk;
    const isFirst = this.#head === undefined;
    this.#head ??= { id, object: chunk.object, created, model } as StreamHead;
    if (this.#isContinued && !isFirst) return this.#asContinued(chunk, choice);
    return this.#hidesIds ? withoutIds(event) : event;
  }

  /** Whether a body that ends here lacks the end of its stream. */
  #endsEarly(): boolean {
    const isKnown = this.#unknown === undefined && this.#tokens.length > 0;
    return this.#fault === undefined && isKnown && !this.#hasFinish && !this.#isDone;
  }

  /** Whether the engine that continues has taken the tokens it was sent; older ones ignore them. */
  #isConfirmed({ choices }: StreamChunk, promptTokens: number): boolean {
    if (this.#unconfirmedTokens < 0) return true;
    const expected = this.#promptTokens + this.#unconfirmedTokens;
    this.#unconfirmedTokens = -1;
    if (promptTokens === expected && choices?.length === 1) return true;
    const message = `it computed ${promptTokens} prompt tokens rather than ${expected}`;
    this.#fault = { kind: 'mismatch', message };
    return false;
  }

  #takeChoice(choice: StreamChoice, event: string): void {
    const ids = idsOf(choice);
    const isThought = isReasoning(choice);
    const isShown = isVisible(choice);
    for (const id of ids ?? []) this.#push(id, isThought);
    if (isShown && ids === undefined) this.#forget('tokens');
    if (hasCalls(choice.delta)) this.#hasCalls = true;
    if (isShown || (choice.finish_reason ?? null) !== null) this.#shown();
    if (isShown) this.#isVisible = true;
    if ((choice.finish_reason ?? null) !== null) this.#hasFinish = true;
    if (this.#deltaAt === 0 && ids?.length === 1 && choice.delta?.role === undefined) {
      this.#deltaAt = Math.max(0, offsetOfDelta(event, this.#kind));
    }
  }

  /** The event as a part of the first engine's stream. */
  #asContinued(chunk: StreamChunk, choice: StreamChoice | undefined): string {
    Object.assign(chunk, this.#head);
    if (chunk.prompt_token_ids != null) chunk.prompt_token_ids = null;
    if (choice?.prompt_token_ids != null) choice.prompt_token_ids = null;
    if (choice?.token_ids != null && this.#hidesIds) choice.token_ids = null;
    const { usage } = chunk;
    if (usage != null) {
      const { completion_tokens: own, completion_tokens_details: details } = usage;
      if (this.#promptTokens > 0 && typeof own === 'number') {
        Object.assign(usage, this.#usage(this.#tokensBefore + own));
        const cached = usage.prompt_tokens_details?.cached_tokens;
        if (typeof cached === 'number' && usage.prompt_tokens_details != null) {
          usage.prompt_tokens_details.cached_tokens = Math.min(cached, this.#promptTokens);
        }
      }
      if (typeof details?.reasoning_tokens === 'number') {
        details.reasoning_tokens += this.#reasoningBefore;
      }
    }
    return `data: ${JSON.stringify(chunk)}\n\n`;
  }

  #usage(completionTokens: number): object {
    return {
      prompt_tokens: this.#promptTokens,
      total_tokens: this.#promptTokens + completionTokens,
      completion_tokens: completionTokens,
    };
  }

  /** The client gets something whose meaning for a continuation is not known. */
  #passUnknown(): void {
    this.#isVisible = true;
    this.#forget('tokens');
  }

  #push(id: number, isThought: boolean): void {
    if (this.#unknown !== undefined) return;
    this.#tokens.push(id);
    if (isThought) this.#reasoningTokens = this.#tokens.length;
    if (this.#tokens.bytes > this.#tokenBytes) this.#account();
  }

  #account(): void {
    this.#tokenBytes = this.#tokens.bytes;
    const bytes = this.#tokenBytes + (this.#promptIds?.length ?? 0);
    if (this.#budget.resize(this.#budgetBytes, bytes)) this.#budgetBytes = bytes;
    else this.#forget('transcript');
  }

  #shown(): void {
    this.#shownTokens = this.#tokens.length;
  }

  #keepPrompt(ids: string, count: number): void {
    if (this.#promptIds !== undefined) return;
    this.#promptIds = ids;
    this.#promptTokens = count;
    this.#account();
  }

  #forget(why: 'transcript' | 'tokens' | 'choices'): void {
    if (this.#unknown !== undefined) return;
    this.#unknown = why;
    this.#tokens = new TokenList();
    this.#promptIds = undefined;
    this.close();
  }
}

const byteR = 'r'.charCodeAt(0);

/** @returns `client` for an error that another engine would return too. */
function faultOf({ error, choices }: StreamChunk): StreamFault | 'client' | undefined {
  if (error != null && choices === undefined) {
    const status = typeof error.code === 'number' ? error.code : serverErrorMin;
    if (status < serverErrorMin && status !== busyStatus) return 'client';
    return { kind: 'event', message: `it reported: ${String(error.message)}` };
  }
  if (choices?.some((choice) => choice.finish_reason === 'abort') !== true) return undefined;
  return { kind: 'event', message: 'it aborted the request' };
}

function countOf(ids: string): number {
  let count = ids === '' ? 0 : 1;
  for (let at = ids.indexOf(','); at >= 0; at = ids.indexOf(',', at + 1)) count++;
  return count;
}

/** Offset of the delta's first key, or of the text's key. */
function offsetOfDelta(event: string, kind: StreamKind): number {
  const mark = kind === 'chat' ? '"delta":{"' : '"text":';
  const at = event.indexOf(mark);
  return at < 0 ? 0 : at + (kind === 'chat' ? mark.length : 1);
}
