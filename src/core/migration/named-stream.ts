// A streamed response of the Messages or Responses API. Its engines report no token ids, so another engine repeats it
// from the beginning: what the client has is compared and removed, and the rest becomes part of the first stream. A
// sampled response, which no engine repeats, continues from its text.
import type { Continued } from './continuation-request.ts';
import { continuedText } from './continued-text.ts';
import { chunkOf } from './event-framing.ts';
import { FollowedStream, type MigrationRefusal } from './followed-stream.ts';
import { KnownEvents, type Repetition } from './known-events.ts';
import {
  type NamedEvent,
  type NamedStreamKind,
  namedEventText,
  type ParsedNamedEvent,
  parseNamedEvent,
  withText,
} from './named-event.ts';
import { openText } from './open-text.ts';
import { repeatedNamedRequest } from './repeated-request.ts';
import { ResponseIds } from './response-ids.ts';
import type { StreamMemory } from './stream-memory.ts';
import { inputTokensOf, TextJoin } from './text-join.ts';
import { noTextTokens, type TextTokens } from './text-tokens.ts';

export class NamedStream extends FollowedStream {
  readonly #kind: NamedStreamKind;
  readonly #known: KnownEvents;
  readonly #ids = new ResponseIds();
  #loss: 'transcript' | 'events' | undefined = undefined;
  /** Events that close a part, until it is known that the engine did not abort. */
  #closings: { readonly text: string; readonly parsed: ParsedNamedEvent }[] = [];
  #hasStarted = false;
  #isVisible = false;
  #hasFinish = false;
  #isDone = false;
  #isContinued = false;
  #inputTokens: number | undefined = undefined;
  /** The last result of `continuation`, if it continues a text. */
  #next: TextJoin | undefined = undefined;
  /** Set while an engine continues a text. */
  #join: TextJoin | undefined = undefined;

  constructor(kind: NamedStreamKind, memory: StreamMemory) {
    super(memory);
    this.#kind = kind;
    this.#known = new KnownEvents(memory);
  }

  /** Not known. */
  get shownTokens(): number {
    return 0;
  }

  override get eventNumber(): number | undefined {
    const isKnown = this.#kind === 'responses' && this.#loss === undefined;
    return isKnown ? this.#ids.nextNumber : undefined;
  }

  override get inputTokens(): number | undefined {
    return this.#inputTokens;
  }

  get isContinued(): boolean {
    return this.#isContinued;
  }

  closing(): Uint8Array | undefined {
    if (this.#isDone) return chunkOf('', true);
    if (!this.#hasFinish) return undefined;
    return chunkOf(namedEventText({ type: 'message_stop' }), true);
  }

  continuation(body: Uint8Array, tokens = noTextTokens): Continued | MigrationRefusal {
    const hasText = this.#isVisible;
    this.#next = undefined;
    if (hasText && this.#loss !== undefined) return this.#loss;
    const next = repeatedNamedRequest(body, this.#kind, hasText, this.#ids.responseId);
    if (next === 'sampled') return this.#ofText(body, tokens);
    return typeof next === 'string' ? next : { body: next, sentTokens: 0, repeats: true };
  }

  /** The request for what follows the text that the client has. */
  #ofText(body: Uint8Array, tokens: TextTokens): Continued | MigrationRefusal {
    const kind = this.#kind;
    const open = openText(this.#known.entries(), kind);
    if (open === undefined) return 'sampled';
    const next = continuedText(body, kind, open, tokens, this.#inputTokens);
    if (typeof next === 'string') return next;
    this.#next = new TextJoin(kind, open, next, this.#ids.opening);
    return { body: next.body, sentTokens: next.sentTokens, repeats: false };
  }

  protected forgetAll(): void {
    this.#known.close();
  }

  protected join(): void {
    this.#isContinued = true;
    this.#closings = [];
    this.#join = this.#next;
    if (this.#join === undefined) this.#known.repeatAll();
  }

  protected takeUsual(): number {
    return 0;
  }

  protected plain(events: string): string {
    return this.#released() + events;
  }

  protected passUnknown(): void {
    this.#lose('events');
  }

  protected passTooLong(): void {
    this.#lose('transcript');
  }

  protected endsEarly(): boolean {
    return this.#hasStarted && this.#loss === undefined && !this.#isDone;
  }

  protected takeEvent(text: string): string {
    if (this.#loss !== undefined && !this.#isContinued) return text;
    const parsed = parseNamedEvent(text, this.#kind);
    const { event } = parsed;
    if (event.kind === 'fault') return this.fail({ kind: 'event', message: event.message });
    if (event.kind === 'aside') return this.#released() + text;
    if (event.kind === 'unknown') {
      const closings = this.#released();
      if (this.#isContinued && !this.#known.isWhole) return this.#diverges();
      this.passUnknown();
      return closings + text;
    }
    const join = this.#join;
    if (event.kind === 'start' && join !== undefined) {
      const message = join.mismatch(parsed.data);
      return message === undefined ? '' : this.fail({ kind: 'mismatch', message });
    }
    const repetition = this.#isContinued ? this.#repetitionOf(event) : 'new';
    if (repetition === 'diverged') return this.#diverges();
    if (repetition === 'had') return '';
    if (event.kind === 'close') {
      this.#closings.push({ text, parsed });
      return '';
    }
    const closings = this.#released() + this.#closingBefore(event);
    const out = this.#textOf(text, parsed, repetition);
    this.#keep(parsed, typeof repetition === 'object' ? repetition.rest : undefined);
    return closings + out;
  }

  #diverges(): string {
    return this.fail({ kind: 'diverged', message: 'it wrote another response' });
  }

  #repetitionOf(event: Exclude<NamedEvent, { kind: 'fault' | 'aside' | 'unknown' }>): Repetition {
    if (this.#join !== undefined) {
      const said = event.kind === 'mark' ? this.#known.saidBy(event.key) : undefined;
      if (event.kind !== 'mark' || said === undefined) return 'new';
      return said === event.says ? 'had' : 'diverged';
    }
    switch (event.kind) {
      case 'text':
        return this.#known.repeatText(event.key, event.text);
      case 'end':
        return this.#known.isWhole ? 'new' : 'diverged';
      default:
        return this.#known.repeatMark(event.key, event.says);
    }
  }

  /** The event as a part of the first engine's stream. */
  #textOf(text: string, { data }: ParsedNamedEvent, repetition: Repetition): string {
    const join = this.#join;
    const isRest = typeof repetition === 'object';
    const changed = isRest
      ? withText(data, repetition.rest, this.#kind)
      : (join?.rewritten(data) ?? data);
    if (this.#kind === 'messages') return changed === data ? text : namedEventText(changed);
    if (this.#isContinued) return namedEventText(this.#ids.rewritten(changed));
    this.#ids.read(data);
    return text;
  }

  /** What closes the text, if an engine that was to continue it wrote nothing more of it. */
  #closingBefore({ kind }: NamedEvent): string {
    const join = this.#join;
    const isLast = kind === 'finish' || kind === 'end';
    if (!isLast || join === undefined || this.#known.saidBy(join.closingKey) !== undefined) {
      return '';
    }
    let out = '';
    for (const data of join.closings()) {
      const text = namedEventText(data);
      const parsed = parseNamedEvent(text, this.#kind);
      out += this.#kind === 'messages' ? text : namedEventText(this.#ids.rewritten(data));
      this.#keep(parsed, undefined);
    }
    return out;
  }

  /** The closing events, once the engine goes on. */
  #released(): string {
    if (this.#closings.length === 0) return '';
    let out = '';
    for (const { text, parsed } of this.#closings) {
      out += this.#textOf(text, parsed, 'new');
      this.#keep(parsed, undefined);
    }
    this.#closings = [];
    return out;
  }

  /** @param rest What the client gets of a text; undefined for all. */
  #keep({ data, event }: ParsedNamedEvent, rest: string | undefined): void {
    switch (event.kind) {
      case 'text':
        this.#isVisible = true;
        this.#add(event.key, rest ?? event.text, false);
        break;
      case 'end':
        this.#isDone = true;
        if (this.#join === undefined) this.#inputTokens ??= inputTokensOf(data);
        break;
      case 'start':
        this.#hasStarted = true;
        this.#inputTokens ??= inputTokensOf(data);
        this.#add(event.key, event.says, true);
        break;
      case 'mark':
      case 'close':
      case 'finish':
        this.#isVisible = true;
        if (event.kind === 'finish') this.#hasFinish = true;
        this.#add(event.key, event.says, true);
    }
  }

  #add(key: string, text: string, isMark: boolean): void {
    if (this.#loss !== undefined) return;
    if (!this.#known.add(key, text, isMark)) this.#lose('transcript');
  }

  #lose(why: 'transcript' | 'events'): void {
    this.#isVisible = true;
    this.#loss ??= why;
    this.#known.close();
  }
}
