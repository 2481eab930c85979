// A streamed chat or completion with the ids of its tokens: they are remembered, and the stream of the next engine
// becomes a continuation of the first one's.
import { type Continued, continuationOf, repeatedRequest } from './continuation-request.ts';
import { chunkOf } from './event-framing.ts';
import { FollowedStream, type MigrationRefusal, type StreamFault } from './followed-stream.ts';
import { Replay } from './replay.ts';
import { jsonLength, ShownText } from './shown-text.ts';
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
  type TokenStreamKind,
  withoutIds,
  withoutTokenIds,
} from './stream-event.ts';
import { type StreamHead, StreamJoin, usageOf } from './stream-join.ts';
import type { StreamMemory } from './stream-memory.ts';
import { isIdList, Transcript } from './transcript.ts';
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

/** What a stream is, and how it moves. */
export interface TokenStreamPlan {
  readonly kind: TokenStreamKind;
  /** Whether the router asked for token ids on its own: the client does not get them. */
  readonly hidesIds: boolean;
}

/** Statuses of error events that another engine may not return: too many requests, and all of servers. */
const busyStatus = 429;
const serverErrorMin = 500;

export class MigratableStream extends FollowedStream {
  readonly #kind: TokenStreamKind;
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
  #hasFinish = false;
  #hasUsage = false;
  #isDone = false;
  /** The last result of `continuation`. */
  #next: Continued | undefined = undefined;
  /** Set once another engine continues. */
  #join: StreamJoin | undefined = undefined;

  constructor({ kind, hidesIds }: TokenStreamPlan, memory: StreamMemory, usual: UsualEvents) {
    super(memory);
    this.#kind = kind;
    this.#hidesIds = hidesIds;
    this.#usual = usual;
    this.#transcript = new Transcript(memory);
    this.#markAt = usual.markAt[kind];
    this.#textShape = usual.text[kind];
  }

  get shownTokens(): number {
    return this.#transcript.shownTokens;
  }

  /** Whether the client has the last event. */
  get isDone(): boolean {
    return this.#isDone;
  }

  get isContinued(): boolean {
    return this.#join !== undefined;
  }

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

  /** @param body The request as the engines get it, with `return_token_ids`. */
  continuation(body: Uint8Array): Continued | MigrationRefusal {
    const next = this.#continuation(body);
    this.#next = typeof next === 'string' ? undefined : next;
    return next;
  }

  #continuation(body: Uint8Array): Continued | MigrationRefusal {
    if (!this.#isVisible && !this.#hasChoices) return { body, sentTokens: 0, repeats: false };
    const transcript = this.#transcript;
    const { loss, promptIds, promptTokens, length, beforeCalls, tokens } = transcript;
    if (loss !== undefined) return loss;
    if (promptIds === undefined || !isIdList(promptIds) || length === 0) return 'tokens';
    const prompt = { kind: this.#kind, promptIds, promptTokens, tokens };
    if (beforeCalls === undefined) {
      // What the client has not seen is computed again: a token may be a part of a character, which another
      // engine could not complete.
      const sentTokens = this.#hasFinish ? length : transcript.shownTokens;
      const isReasoning = transcript.reasoningTokens >= sentTokens;
      return continuationOf(body, { ...prompt, sentTokens, isReasoning });
    }
    // Tool parsers do not read the prompt, so a call is written again from its beginning, and compared.
    const { tokens: sentTokens } = beforeCalls;
    if (sentTokens === 0) return repeatedRequest(body);
    const isReasoning = transcript.reasoningTokens >= sentTokens;
    const next = continuationOf(body, { ...prompt, sentTokens, isReasoning });
    return typeof next === 'string' ? next : { ...next, repeats: true };
  }

  protected join(): void {
    const { sentTokens, repeats } = this.#next ?? { sentTokens: 0, repeats: false };
    const transcript = this.#transcript;
    let replay: Replay | undefined;
    if (repeats) {
      const { shown, tokens, beforeCalls } = transcript;
      const repeated = sentTokens > 0 ? beforeCalls?.shown.beforeCalls() : undefined;
      replay = new Replay(tokens, sentTokens, shown, repeated ?? new ShownText());
    } else if (!this.#hasFinish) transcript.truncate();
    this.#join = new StreamJoin(transcript, sentTokens, replay);
  }

  protected forgetAll(): void {
    this.#transcript.close();
  }

  protected plain(events: string): string {
    return this.#hidesIds ? withoutIds(events) : events;
  }

  protected passTooLong(): void {
    // The client has the beginning of an event.
    this.#isVisible = true;
    this.#transcript.forget('transcript');
  }

  protected takeUsual(bytes: DataView, at: number, limit: number): number {
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
    const { id, textBytes, isThought } = usualToken;
    const transcript = this.#transcript;
    transcript.push(id, isThought);
    if (textBytes > 0) {
      this.#isVisible = true;
      transcript.show();
      if (isThought) transcript.shown.reasoning += textBytes;
      else transcript.shown.content += textBytes;
    }
    return end;
  }

  #takeText(bytes: DataView, at: number, limit: number): number {
    if (this.#textShape === undefined) return 0;
    const end = textEventEnd(bytes, at, limit, this.#textShape);
    if (end > 0) this.passUnknown();
    return end;
  }

  protected takeEvent(event: string): string {
    const parsed = parseEvent(event);
    switch (parsed.kind) {
      case 'other':
        if (!event.startsWith(':')) this.passUnknown();
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
    if (fault !== undefined) return this.fail(fault);
    if (!Array.isArray(chunk.choices)) {
      this.passUnknown();
      return event;
    }
    const join = this.#join;
    const mismatch = join?.mismatch(chunk, promptIds);
    if (mismatch !== undefined) return this.fail({ kind: 'mismatch', message: mismatch });
    const { choices } = chunk;
    const choice = choices[0];
    if (choices.length > 1 || (choice?.index ?? 0) !== 0) {
      this.#hasChoices = true;
      this.#transcript.forget('choices');
    }
    if (promptIds !== undefined) {
      this.#hasIds = true;
      if ((join?.tokensBefore ?? 0) === 0) this.#transcript.keepPrompt(promptIds);
    }
    if (choice !== undefined && join?.replay !== undefined) {
      if (!this.#repeat(choice, join.replay)) {
        return this.fail({ kind: 'diverged', message: 'it wrote another response' });
      }
      if (saysNothing(choice, this.#hidesIds)) return this.#drop(choice);
    }
    const isOpening = choice?.delta?.role !== undefined;
    const isRepeated = join !== undefined && isOpening && this.#hasRole && !isVisible(choice);
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
    } else if (join !== undefined) {
      return join.event(chunk, choice, head, this.#hidesIds);
    }
    return this.#hidesIds ? withoutTokenIds(rest) : event;
  }

  protected endsEarly(): boolean {
    const { loss, length } = this.#transcript;
    return loss === undefined && length > 0 && !this.#hasFinish && !this.#isDone;
  }

  /**
   * Compares what an engine repeats, and removes it from the choice.
   *
   * @returns Whether the rest continues what the client has.
   */
  #repeat(choice: StreamChoice, replay: Replay): boolean {
    const ids = idsOf(choice) ?? [];
    let at = 0;
    for (; at < ids.length && !replay.isOver; at++) {
      if (!replay.takes(ids[at] as number)) return false;
    }
    if (at > 0) choice.token_ids = ids.slice(at);
    const isLast = (choice.finish_reason ?? null) !== null;
    return replay.trim(choice) && (!isLast || replay.isWhole);
  }

  /** Keeps the tokens of a choice that the client does not get. */
  #drop(choice: StreamChoice): string {
    const isThought = isReasoning(choice);
    for (const id of idsOf(choice) ?? []) this.#transcript.push(id, isThought);
    return '';
  }

  #takeChoice(choice: StreamChoice, event: string, hasUsage: boolean): void {
    const transcript = this.#transcript;
    const ids = idsOf(choice);
    const isShown = isVisible(choice);
    const isLast = (choice.finish_reason ?? null) !== null;
    const isCall = hasCalls(choice.delta);
    if (isCall) transcript.beginCalls();
    if (ids !== undefined) {
      this.#hasIds = true;
      const isThought = isReasoning(choice);
      for (const id of ids) transcript.push(id, isThought);
    } else if (isShown) transcript.forget('tokens');
    if (isShown) this.#countText(choice);
    if (isShown || isLast) transcript.show();
    if (isShown) this.#isVisible = true;
    if (isLast) this.#hasFinish = true;
    else if (choice.delta?.role === undefined && !hasUsage) this.#learn(event, ids);
  }

  #countText({ text, delta }: StreamChoice): void {
    const { shown } = this.#transcript;
    if (typeof text === 'string') shown.content += jsonLength(text);
    if (delta === undefined) return;
    const { content, reasoning, reasoning_content: older, tool_calls: calls } = delta;
    if (typeof content === 'string') shown.content += jsonLength(content);
    const thought = typeof reasoning === 'string' ? reasoning : older;
    if (typeof thought === 'string') shown.reasoning += jsonLength(thought);
    for (const call of calls ?? []) {
      const index = call.index ?? 0;
      const length = jsonLength(call.function?.arguments ?? '');
      shown.calls[index] = (shown.calls[index] ?? 0) + length;
    }
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

  protected passUnknown(): void {
    this.#isVisible = true;
    this.#transcript.forget('tokens');
  }
}

/** Whether a choice that repeats what the client has holds nothing else. */
function saysNothing(choice: StreamChoice, hidesIds: boolean): boolean {
  const { finish_reason: reason = null } = choice;
  const hasIds = !hidesIds && (idsOf(choice)?.length ?? 0) > 0;
  return reason === null && !isVisible(choice) && !hasIds;
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
