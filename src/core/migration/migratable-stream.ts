// One streamed response that can move to another engine: remembers the tokens that the client has, and makes the
// stream of the next engine a continuation of the first one's.
import {
  type ContinuationRefusal,
  type Continued,
  continuationOf,
} from './continuation-request.ts';
import { chunkOf, chunksText, endsWithEvent, joined, lastEventEnd } from './event-framing.ts';
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
  withoutTokenIds,
} from './stream-event.ts';
import { type StreamHead, StreamJoin, usageOf } from './stream-join.ts';
import { isIdList, Transcript, type TranscriptLoss } from './transcript.ts';
import type { TranscriptBudget } from './transcript-budget.ts';
import {
  doneEventEnd,
  markOffset,
  readToken,
  type TextShape,
  textEventEnd,
  textShapeOf,
  type UsualEvents,
  usualToken,
} from './usual-event.ts';

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
export type MigrationRefusal = ContinuationRefusal | TranscriptLoss | 'toolCalls';

/** What a stream is, and how it moves. */
export interface StreamPlan {
  readonly kind: StreamKind;
  /** Whether the router asked for token ids on its own: the client does not get them. */
  readonly hidesIds: boolean;
}

/** Maximum bytes of an event, whose first one has the ids of the prompt; streams with longer ones do not move. */
const heldBytesMax = 4 * 1024 * 1024;

/** Statuses of error events that another engine may not return: too many requests, and all of servers. */
const busyStatus = 429;
const serverErrorMin = 500;

/**
 * Takes what arrives of a stream, as chunks of HTTP/1.1, and returns what the client gets: whole events in whole
 * chunks, so that the next engine's can follow.
 *
 * @example
 * const stream = new MigratableStream({ kind: 'chat', hidesIds: true }, budget, usual);
 * relay(stream.take(bytes, isBetweenChunks, isEnd));
 * // The engine dies:
 * const next = stream.continuation(body); // the body for another engine
 * stream.continueAt();
 * relay(stream.take(bytesOfTheOther, isBetweenChunks, isEnd));
 */
export class MigratableStream {
  readonly #kind: StreamKind;
  /** Whether the router asked for token ids on its own: the client does not get them. */
  readonly #hidesIds: boolean;
  readonly #usual: UsualEvents;
  readonly #transcript: Transcript;
  #head: StreamHead | undefined = undefined;
  /** Whether the engine tells token ids. */
  #hasIds = false;
  /** Offset of the part of an event with a token that differs; -1 if it is not known. */
  #markAt: number;
  #textShape: TextShape | undefined;
  #hasRole = false;
  /** Whether there are several. */
  #hasChoices = false;
  #isVisible = false;
  #hasCalls = false;
  #hasFinish = false;
  #hasUsage = false;
  #isDone = false;
  /** Bytes of an event whose end has not arrived. */
  #held: Uint8Array[] | undefined = undefined;
  #heldBytes = 0;
  /** Whether an event is too long to be held. */
  #isRaw = false;
  /** The buffer of the last read: an engine's connection has one for long. */
  #view: DataView | undefined = undefined;
  /** Set once another engine continues. */
  #join: StreamJoin | undefined = undefined;
  #fault: StreamFault | undefined = undefined;
  /** What follows a fault, and whether the body ends with it. */
  #withheld: { readonly text: string; readonly isEnd: boolean } | undefined = undefined;

  constructor({ kind, hidesIds }: StreamPlan, budget: TranscriptBudget, usual: UsualEvents) {
    this.#kind = kind;
    this.#hidesIds = hidesIds;
    this.#usual = usual;
    this.#transcript = new Transcript(budget);
    this.#markAt = usual.markAt[kind];
    this.#textShape = usual.text[kind];
  }

  /** Set when the engine has reported that it cannot go on; the report itself is not passed on. */
  get fault(): StreamFault | undefined {
    return this.#fault;
  }

  /** Number of tokens of the response that the client has. */
  get shownTokens(): number {
    return this.#transcript.shownTokens;
  }

  /** Whether the client has the last event. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Whether an engine has continued the stream of another one. */
  get isContinued(): boolean {
    return this.#join !== undefined;
  }

  /**
   * @param bytes A read of the body; ids in it that are hidden are overwritten.
   * @param isBetweenChunks Whether a chunk ends with these bytes.
   * @param isEnd Whether the body does.
   * @returns What the client gets: the same bytes if nothing in them changes; undefined for nothing.
   */
  take(bytes: Uint8Array, isBetweenChunks: boolean, isEnd: boolean): Uint8Array | undefined {
    if (this.#isRaw) return bytes;
    const end =
      isEnd || (isBetweenChunks && endsWithEvent(bytes)) ? bytes.length : lastEventEnd(bytes);
    if (this.#held === undefined && end === bytes.length) return this.#takeWhole(bytes);
    if (end === 0) return this.#hold(bytes);
    const whole = joined([...(this.#held ?? []), bytes.subarray(0, end)]);
    this.#held = undefined;
    this.#heldBytes = 0;
    if (end < bytes.length) this.#hold(bytes.subarray(end));
    return this.#takeWhole(whole);
  }

  /** What remains to be sent if the engine failed after the response's last token; undefined if tokens are missing. */
  closing(includesUsage: boolean): Uint8Array | undefined {
    const { loss, promptTokens, reasoningTokens, length } = this.#transcript;
    // Of several choices, one may lack tokens when another one has ended.
    if (!this.#hasFinish || this.#hasChoices) return undefined;
    let text = '';
    if (includesUsage && !this.#hasUsage) {
      if (loss !== undefined || promptTokens === 0) return undefined;
      const details = reasoningTokens > 0 && {
        completion_tokens_details: { reasoning_tokens: reasoningTokens },
      };
      const usage = { ...usageOf(promptTokens, length), ...details };
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
    const { length } = this.#transcript;
    // What the client has not seen is computed again: a token may be a part of a character, which another
    // engine could not complete.
    if (!this.#hasFinish) this.#transcript.truncate();
    const { loss, promptIds, promptTokens, tokens } = this.#transcript;
    const isFresh = !this.#isVisible;
    if (isFresh && !this.#hasChoices) return { body, promptTokens: 0, sentTokens: 0 };
    if (loss !== undefined) return loss;
    if (promptIds === undefined || !isIdList(promptIds) || length === 0) return 'tokens';
    if (this.#hasCalls) return 'toolCalls';
    return continuationOf(body, { kind: this.#kind, promptIds, promptTokens, tokens });
  }

  /** The events that follow are those of the engine that got the result of `continuation`. */
  continueAt(): void {
    this.#held = undefined;
    this.#heldBytes = 0;
    this.#fault = undefined;
    this.#withheld = undefined;
    this.#join = new StreamJoin(this.#transcript, this.#isVisible);
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
    this.#transcript.close();
  }

  /** Keeps bytes of an event whose end has not arrived. @returns All of them, if they are too many. */
  #hold(bytes: Uint8Array): Uint8Array | undefined {
    this.#held ??= [];
    // The bytes are valid during this call only, and the slice of a Buffer is no copy.
    this.#held.push(new Uint8Array(bytes));
    this.#heldBytes += bytes.length;
    if (this.#heldBytes <= heldBytesMax) return undefined;
    const all = joined(this.#held);
    this.#held = undefined;
    this.#isRaw = true;
    this.#transcript.forget('transcript');
    return all;
  }

  /** @param bytes Whole events in whole chunks. */
  #takeWhole(bytes: Uint8Array): Uint8Array | undefined {
    // Once something changes: what the client gets of the bytes before `from`.
    let parts: Uint8Array[] | undefined;
    let from = 0;
    const view = this.#viewOf(bytes.buffer);
    const start = bytes.byteOffset;
    const limit = start + bytes.length;
    for (let at = 0; at < bytes.length; ) {
      const usual = this.#takeUsual(view, start + at, limit);
      if (usual > 0) {
        at = usual - start;
        continue;
      }
      const chunks = chunksText(bytes, at);
      if (chunks === undefined) {
        // Cannot happen with bytes of our own HTTP parser; they are passed on as they are.
        this.#passUnknown();
        break;
      }
      const { text, isEnd } = chunks;
      const out = this.#takeEvents(text, isEnd);
      if (out === text && this.#fault === undefined) {
        at = chunks.end;
        continue;
      }
      parts ??= [];
      parts.push(bytes.subarray(from, at));
      if (this.#fault !== undefined) {
        if (out !== '') parts.push(chunkOf(out));
        this.#withhold(bytes, chunks.end);
        from = bytes.length;
        break;
      }
      if (out !== '' || isEnd) parts.push(chunkOf(out, isEnd));
      at = chunks.end;
      from = at;
    }
    if (parts === undefined) return bytes;
    parts.push(bytes.subarray(from));
    const whole = joined(parts);
    return whole.length === 0 ? undefined : whole;
  }

  #viewOf(buffer: ArrayBufferLike): DataView {
    if (this.#view?.buffer !== buffer) this.#view = new DataView(buffer);
    return this.#view as DataView;
  }

  /**
   * Passes a usual event as it is, but for its ids.
   *
   * @param at Where a chunk begins, in its buffer.
   * @returns The end of the chunk; 0 if it is no usual event.
   */
  #takeUsual(bytes: DataView, at: number, limit: number): number {
    if (this.#join === undefined) {
      const end = this.#hasIds
        ? this.#takeToken(bytes, at, limit)
        : this.#takeText(bytes, at, limit);
      if (end > 0) return end;
    }
    const end = doneEventEnd(bytes, at, limit);
    if (end > 0) this.#isDone = true;
    return end;
  }

  #takeToken(bytes: DataView, at: number, limit: number): number {
    if (this.#head === undefined || this.#markAt < 0) return 0;
    const end = readToken(bytes, at, limit, this.#kind, this.#markAt, this.#hidesIds);
    if (end === 0) return 0;
    this.#transcript.push(usualToken.id, usualToken.isThought);
    if (usualToken.isVisible) {
      this.#isVisible = true;
      this.#transcript.show();
    }
    return end;
  }

  #takeText(bytes: DataView, at: number, limit: number): number {
    if (this.#textShape === undefined) return 0;
    const end = textEventEnd(bytes, at, limit, this.#textShape);
    if (end > 0) this.#passUnknown();
    return end;
  }

  /** @returns What the client gets; after a fault, the events before it. */
  #takeEvents(text: string, isEnd: boolean): string {
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
    if (this.#fault !== undefined) this.#withheld = { text: text.slice(at), isEnd };
    return out;
  }

  /** Adds to what is withheld the events that follow `at`. */
  #withhold(bytes: Uint8Array, at: number): void {
    let { text, isEnd } = this.#withheld ?? { text: '', isEnd: false };
    for (let start = at; start < bytes.length; ) {
      const chunks = chunksText(bytes, start);
      if (chunks === undefined) break;
      text += chunks.text;
      isEnd = chunks.isEnd;
      start = chunks.end;
    }
    this.#withheld = { text, isEnd };
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
    const { chunk, promptIds, rest } = parsed;
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
    const mismatch = this.#join?.mismatch(chunk, promptIds);
    if (mismatch !== undefined) {
      this.#fault = { kind: 'mismatch', message: mismatch };
      return '';
    }
    const { choices } = chunk;
    const choice = choices[0];
    if (choices.length > 1 || (choice?.index ?? 0) !== 0) {
      this.#hasChoices = true;
      this.#transcript.forget('choices');
    }
    if (promptIds !== undefined) {
      this.#hasIds = true;
      if ((this.#join?.tokensBefore ?? 0) === 0) this.#transcript.keepPrompt(promptIds);
    }
    const isOpening = choice?.delta?.role !== undefined;
    const isRepeated = this.#join !== undefined && isOpening && this.#hasRole && !isVisible(choice);
    if (isOpening) this.#hasRole = true;
    if (choice !== undefined) this.#takeChoice(choice, event, chunk.usage != null);
    else if (chunk.usage != null) this.#hasUsage = true;
    if (isRepeated) return '';
    const isOnlyIds = choice !== undefined && isEmpty(choice) && choice.token_ids != null;
    if (this.#hidesIds && isOnlyIds) return '';
    const head = this.#head;
    if (head === undefined) {
      const { id, object, created, model } = chunk;
      this.#head = { id, object, created, model };
    } else if (this.#join !== undefined) {
      return this.#join.event(chunk, choice, head, this.#hidesIds);
    }
    return this.#hidesIds ? withoutTokenIds(rest) : event;
  }

  /** Whether a body that ends here lacks the end of its stream. */
  #endsEarly(): boolean {
    const { loss, length } = this.#transcript;
    const isKnown = loss === undefined && length > 0;
    return this.#fault === undefined && isKnown && !this.#hasFinish && !this.#isDone;
  }

  #takeChoice(choice: StreamChoice, event: string, hasUsage: boolean): void {
    const transcript = this.#transcript;
    const ids = idsOf(choice);
    const isShown = isVisible(choice);
    const isLast = (choice.finish_reason ?? null) !== null;
    if (ids !== undefined) {
      this.#hasIds = true;
      const isThought = isReasoning(choice);
      for (const id of ids) transcript.push(id, isThought);
    } else if (isShown) transcript.forget('tokens');
    if (hasCalls(choice.delta)) this.#hasCalls = true;
    if (isShown || isLast) transcript.show();
    if (isShown) this.#isVisible = true;
    if (isLast) this.#hasFinish = true;
    else if (choice.delta?.role === undefined && !hasUsage) this.#learn(event, ids);
  }

  /** Keeps what the usual event looks like. */
  #learn(event: string, ids: readonly number[] | undefined): void {
    const kind = this.#kind;
    const usual = this.#usual;
    if (ids?.length === 1) {
      this.#markAt = markOffset(event, kind);
      usual.markAt[kind] = this.#markAt;
    } else if (ids === undefined) {
      const shape = textShapeOf(event, kind, usual.text[kind]);
      if (shape === undefined) return;
      this.#textShape = shape;
      usual.text[kind] = shape;
    }
  }

  /** The client gets something whose meaning for a continuation is not known. */
  #passUnknown(): void {
    this.#isVisible = true;
    this.#transcript.forget('tokens');
  }
}

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
