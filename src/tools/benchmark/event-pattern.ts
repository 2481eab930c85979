// Most events of a stream differ in their text alone. Such an event is recognised by the bytes around the text, which costs a
// fraction of decoding and parsing it.
import type { AnswerChunk } from './answer-chunk.ts';

const byteQuote = 0x22;
const byteBackslash = 0x5c;
const byteSpace = 0x20;
const nothing: Uint8Array = new Uint8Array();

/** What surrounds the text of the latest parsed event of one stream. */
export class EventPattern {
  #before = nothing;
  /** From the quote after the text. Empty: there is no pattern yet. */
  #after = nothing;

  /**
   * Remembers an event whose only content is its text.
   *
   * @param chunk What `read` says of it.
   */
  learn(data: string, chunk: AnswerChunk, read: (data: string) => AnswerChunk): void {
    this.#after = nothing;
    const { text, isFinished, usage } = chunk;
    if (isFinished || usage !== undefined || !isPlain(text)) return;
    const quoted = `"${text}"`;
    const at = data.indexOf(quoted);
    // Where the text could be two things, such as a name as well, nothing is learned.
    if (at < 0 || data.indexOf(quoted, at + 1) >= 0) return;
    const before = data.slice(0, at + 1);
    const after = data.slice(at + quoted.length - 1);
    // Another field may have the same value, and the text itself be written with escapes.
    if (!readsAs(`${before}${probe}${after}`, read)) return;
    this.#before = Buffer.from(before);
    this.#after = Buffer.from(after);
  }

  /** Where the text of a recognised event begins, from the start of the event. */
  get textOffset(): number {
    return this.#before.length;
  }

  /** Number of bytes of a recognised event after its text. */
  get bytesAfterText(): number {
    return this.#after.length;
  }

  /**
   * Looks for an event that is equal to the learned one except for its text: a text that is not empty and that JSON writes as it is.
   *
   * @returns Where the event ends; -1 if any other begins at `start`.
   */
  endOf(bytes: Uint8Array, start: number, end: number): number {
    const [before, after] = [this.#before, this.#after];
    if (after.length === 0 || !isAt(bytes, start, end, before)) return -1;
    const textStart = start + before.length;
    let at = textStart;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte === byteQuote) break;
      if (byte < byteSpace || byte === byteBackslash) return -1;
    }
    return at > textStart && isAt(bytes, at, end, after) ? at + after.length : -1;
  }
}

/** A text that no event has by chance. */
const probe = 'spillway probes which string of an event is its text';

/** Whether an event with the probe as its text reads so, and as an event with tokens alone. */
function readsAs(data: string, read: (data: string) => AnswerChunk): boolean {
  try {
    const { text, hasTokens, isFinished, usage, error } = read(data);
    return text === probe && hasTokens && !isFinished && usage === undefined && error === undefined;
  } catch {
    return false;
  }
}

/** Whether the bytes from `start` on are those of `wanted`. */
function isAt(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  if (end - start < wanted.length) return false;
  for (let i = 0; i < wanted.length; i++) if (bytes[start + i] !== wanted[i]) return false;
  return true;
}

/** Whether a text is not empty and needs no escapes in JSON. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < byteSpace || code === byteQuote || code === byteBackslash) return false;
  }
  return text !== '';
}
