// A streamed response of the Messages or Responses API. Its engines report no token ids, so another engine repeats it
// from the beginning: what the client has is compared and removed, and the rest becomes part of the first stream.
import type { Continued } from './continuation-request.ts';
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
import { repeatedNamedRequest } from './repeated-request.ts';
import { ResponseIds } from './response-ids.ts';
import type { TranscriptBudget } from './transcript-budget.ts';

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

  constructor(kind: NamedStreamKind, budget: TranscriptBudget) {
    super();
    this.#kind = kind;
    this.#known = new KnownEvents(budget);
  }

  /** Not known. */
  get shownTokens(): number {
    return 0;
  }

  get isContinued(): boolean {
    return this.#isContinued;
  }

  closing(): Uint8Array | undefined {
    if (this.#isDone) return chunkOf('', true);
    if (!this.#hasFinish) return undefined;
    return chunkOf(namedEventText({ type: 'message_stop' }), true);
  }

  continuation(body: Uint8Array): Continued | MigrationRefusal {
    const hasText = this.#isVisible;
    if (hasText && this.#loss !== undefined) return this.#loss;
    const next = repeatedNamedRequest(body, this.#kind, hasText, this.#ids.responseId);
    return typeof next === 'string' ? next : { body: next, sentTokens: 0, repeats: true };
  }

  close(): void {
    this.#known.close();
  }

  protected join(): void {
    this.#isContinued = true;
    this.#closings = [];
    this.#known.repeatAll();
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
    const repetition = this.#isContinued ? this.#repetitionOf(event) : 'new';
    if (repetition === 'diverged') return this.#diverges();
    if (repetition === 'had') return '';
    if (event.kind === 'close') {
      this.#closings.push({ text, parsed });
      return '';
    }
    const closings = this.#released();
    const out = this.#textOf(text, parsed, repetition);
    this.#keep(parsed, typeof repetition === 'object' ? repetition.rest : undefined);
    return closings + out;
  }

  #diverges(): string {
    return this.fail({ kind: 'diverged', message: 'it wrote another response' });
  }

  #repetitionOf(event: Exclude<NamedEvent, { kind: 'fault' | 'aside' | 'unknown' }>): Repetition {
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
    const isRest = typeof repetition === 'object';
    const changed = isRest ? withText(data, repetition.rest, this.#kind) : data;
    if (this.#kind === 'messages') return isRest ? namedEventText(changed) : text;
    if (this.#isContinued) return namedEventText(this.#ids.rewritten(changed));
    this.#ids.read(data);
    return text;
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
  #keep({ event }: ParsedNamedEvent, rest: string | undefined): void {
    switch (event.kind) {
      case 'text':
        this.#isVisible = true;
        this.#add(event.key, rest ?? event.text, false);
        break;
      case 'end':
        this.#isDone = true;
        break;
      case 'start':
        this.#hasStarted = true;
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
