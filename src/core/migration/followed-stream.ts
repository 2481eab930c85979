// A streamed response as the router relays it: whole events in whole chunks, so that those of another engine can
// follow, and reports of failure are held back. What its events mean is up to the API.
import type { ContinuationRefusal, Continued } from './continuation-request.ts';
import { chunkOf, chunksText, endsWithEvent, joined, lastEventEnd } from './event-framing.ts';
import type { StreamMemory } from './stream-memory.ts';
import type { TextTokens } from './text-tokens.ts';
import type { TranscriptLoss } from './transcript.ts';

/** How an engine ended its stream early. */
export interface StreamFault {
  /**
   * `event`: it reported an error, aborted the request, or ended the stream without its end. `mismatch`: it did not
   * take the tokens that it was sent. `diverged`: it was to repeat what the client has, and wrote something else.
   */
  readonly kind: 'event' | 'mismatch' | 'diverged';
  readonly message: string;
}

/** Why a stream cannot move. */
export type MigrationRefusal = ContinuationRefusal | TranscriptLoss | 'events' | 'tokenizer';

/**
 * Takes what arrives of a stream, as chunks of HTTP/1.1, and returns what the client gets.
 *
 * @example
 * const stream = followStream({ kind: 'chat', hidesIds: true }, memory, usual);
 * relay(stream.take(bytes, isBetweenChunks, isEnd));
 * // The engine dies:
 * const next = stream.continuation(body, tokens); // the body for another engine
 * stream.continueAt();
 * relay(stream.take(bytesOfTheOther, isBetweenChunks, isEnd));
 */
export abstract class FollowedStream {
  readonly #memory: StreamMemory;
  /** Bytes of an event whose end has not arrived. */
  #held: Uint8Array[] | undefined = undefined;
  #heldBytes = 0;
  /** Whether an event is too long to be held, or the stream does not move any more. */
  #isRaw = false;
  /** The buffer of the last read: an engine's connection has one for long. */
  #view: DataView | undefined = undefined;
  #isUsual = false;
  #fault: StreamFault | undefined = undefined;
  /** What follows a fault, and whether the body ends with it. */
  #withheld: { readonly text: string; readonly isEnd: boolean } | undefined = undefined;

  constructor(memory: StreamMemory) {
    this.#memory = memory;
  }

  /** Set when the engine has reported that it cannot go on; the report itself is not passed on. */
  get fault(): StreamFault | undefined {
    return this.#fault;
  }

  /** Whether the last read had usual events only, none of which reports an error. */
  get isUsual(): boolean {
    return this.#isUsual;
  }

  /** Number of tokens of the response that the client has; 0 if they are not known. */
  abstract get shownTokens(): number;

  /** `sequence_number` of the event that follows; undefined if its events have none, or it is not known. */
  get eventNumber(): number | undefined {
    return undefined;
  }

  /** Tokens of the prompt as its first engine has counted them; undefined if it has not, or is not asked for it. */
  get inputTokens(): number | undefined {
    return undefined;
  }

  /** Whether an engine has continued the stream of another one. */
  abstract get isContinued(): boolean;

  /** What remains to be sent if the engine failed after the response's last token; undefined if tokens are missing. */
  abstract closing(includesUsage: boolean): Uint8Array | undefined;

  /**
   * The request that continues the stream on another engine.
   *
   * @param body The request as the engines get it.
   * @param tokens Those of texts, for streams whose engines report none.
   */
  abstract continuation(body: Uint8Array, tokens?: TextTokens): Continued | MigrationRefusal;

  /** The stream is over, and its memory is free. */
  close(): void {
    this.#takeHeld();
    this.forgetAll();
  }

  /** Frees the memory of what the client has. */
  protected abstract forgetAll(): void;

  /** @returns The end of the chunk at `at`, if it passes as it is but for its ids; 0 if it is no usual event. */
  protected abstract takeUsual(bytes: DataView, at: number, limit: number): number;

  /** @returns The event that the client gets; nothing if it gets none. */
  protected abstract takeEvent(event: string): string;

  /** Whether a body that ends here lacks the end of its stream. */
  protected abstract endsEarly(): boolean;

  /** The client gets something whose meaning for a continuation is not known. */
  protected abstract passUnknown(): void;

  /** An event is too long. */
  protected abstract passTooLong(): void;

  /** The events without what the router asked for on its own. */
  protected abstract plain(events: string): string;

  /** The engine that gets the result of `continuation` responds from now on. */
  protected abstract join(): void;

  /**
   * @param bytes A read of the body; ids in it that are hidden are overwritten.
   * @param isBetweenChunks Whether a chunk ends with these bytes.
   * @param isEnd Whether the body does.
   * @returns What the client gets: the same bytes if nothing in them changes; undefined for nothing.
   */
  take(bytes: Uint8Array, isBetweenChunks: boolean, isEnd: boolean): Uint8Array | undefined {
    this.#isUsual = false;
    if (this.#isRaw) return bytes;
    const end =
      isEnd || (isBetweenChunks && endsWithEvent(bytes)) ? bytes.length : lastEventEnd(bytes);
    if (this.#held === undefined && end === bytes.length) return this.#takeWhole(bytes);
    if (end === 0) return this.#hold(bytes) ? undefined : this.#letGo(bytes);
    const taken = this.#takeWhole(joined([...this.#takeHeld(), bytes.subarray(0, end)]));
    const rest = bytes.subarray(end);
    if (rest.length === 0 || this.#hold(rest)) return taken;
    const whole = this.#letGo(rest);
    return taken === undefined ? whole : joined([taken, whole]);
  }

  /** The events that follow are those of the engine that got the result of `continuation`. */
  continueAt(): void {
    this.#takeHeld();
    this.#fault = undefined;
    this.#withheld = undefined;
    this.join();
  }

  /**
   * Gives up to move the stream: what follows is passed on as it is.
   *
   * @returns What a fault has held back, and the beginning of an event, which the client gets now.
   */
  release(): Uint8Array | undefined {
    const withheld = this.#withheld;
    const held = this.#takeHeld();
    this.#withheld = undefined;
    this.#fault = undefined;
    this.#isRaw = true;
    if (withheld === undefined && held.length === 0) return undefined;
    const text = withheld && chunkOf(this.plain(withheld.text), withheld.isEnd);
    return joined(text === undefined ? held : [text, ...held]);
  }

  /** @returns What the client gets of an event with a fault. */
  protected fail(fault: StreamFault): string {
    this.#fault = fault;
    return '';
  }

  /** Keeps bytes of an event whose end has not arrived. @returns Whether there is room for them. */
  #hold(bytes: Uint8Array): boolean {
    const size = this.#heldBytes + bytes.length;
    if (!this.#memory.resizeEvent(this.#heldBytes, size)) {
      if (this.#fault === undefined) return false;
      // The rest of a read after a fault is not passed on before it is known who continues.
      this.#memory.forceEvent(bytes.length);
    }
    this.#held ??= [];
    // The bytes are valid during this call only, and the slice of a Buffer is no copy.
    this.#held.push(new Uint8Array(bytes));
    this.#heldBytes = size;
    return true;
  }

  /** An event is passed on before its end has arrived. @returns What the client gets of it, these bytes included. */
  #letGo(bytes: Uint8Array): Uint8Array {
    this.#isRaw = true;
    this.passTooLong();
    return joined([...this.#takeHeld(), bytes]);
  }

  /** Returns what is held, which is then the caller's. */
  #takeHeld(): readonly Uint8Array[] {
    const held = this.#held ?? [];
    this.#memory.resizeEvent(this.#heldBytes, 0);
    this.#held = undefined;
    this.#heldBytes = 0;
    return held;
  }

  /** @param bytes Whole events in whole chunks. */
  #takeWhole(bytes: Uint8Array): Uint8Array | undefined {
    // Once something changes: what the client gets of the bytes before `from`.
    let parts: Uint8Array[] | undefined;
    let from = 0;
    const view = this.#viewOf(bytes.buffer);
    const start = bytes.byteOffset;
    const limit = start + bytes.length;
    this.#isUsual = true;
    for (let at = 0; at < bytes.length; ) {
      const usual = this.takeUsual(view, start + at, limit);
      if (usual > 0) {
        at = usual - start;
        continue;
      }
      this.#isUsual = false;
      const chunks = chunksText(bytes, at);
      if (chunks === undefined) {
        // Cannot happen with bytes of our own HTTP parser; they are passed on as they are.
        this.passUnknown();
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

  /** @returns What the client gets; after a fault, the events before it. */
  #takeEvents(text: string, isEnd: boolean): string {
    let out = '';
    let at = 0;
    while (at < text.length) {
      const end = text.indexOf('\n\n', at);
      const event = end < 0 ? text.slice(at) : text.slice(at, end + 2);
      const taken = this.takeEvent(event);
      if (this.#fault !== undefined) break;
      out += taken;
      at += event.length;
    }
    if (isEnd && this.#fault === undefined && this.endsEarly()) {
      this.fail({ kind: 'event', message: 'it ended the stream before its end' });
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
}
