// Most events of a stream differ in their text alone. Such an event is recognised by the bytes around the text, which costs a
// fraction of parsing it.
import type { AnswerChunk } from './answer-chunk.ts';

/** What surrounds the text of the latest parsed event of one stream. */
export class EventPattern {
  #before = '';
  /** Empty: there is no pattern yet. */
  #after = '';

  /**
   * Remembers an event whose only content is its text.
   *
   * @param chunk What `read` says of it.
   */
  learn(data: string, chunk: AnswerChunk, read: (data: string) => AnswerChunk): void {
    this.#after = '';
    const { text, isFinished, usage } = chunk;
    if (isFinished || usage !== undefined || !isPlain(text, 0, text.length)) return;
    const quoted = `"${text}"`;
    const at = data.indexOf(quoted);
    // Where the text could be two things, such as a name as well, nothing is learned.
    if (at < 0 || data.indexOf(quoted, at + 1) >= 0) return;
    this.#before = data.slice(0, at + 1);
    const after = data.slice(at + quoted.length - 1);
    // Another field may have the same value, and the text itself be written with escapes.
    if (readsAs(`${this.#before}${probe}${after}`, read)) this.#after = after;
  }

  /**
   * Returns the text of an event that is equal to the learned one except for it: a text that is not empty and that JSON
   * writes as it is. Undefined if it is any other event.
   */
  textOf(data: string): string | undefined {
    const [start, end] = [this.#before.length, data.length - this.#after.length];
    const isEqual =
      this.#after !== '' && data.startsWith(this.#before) && data.endsWith(this.#after);
    return isEqual && isPlain(data, start, end) ? data.slice(start, end) : undefined;
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

/** Whether a text is not empty and needs no escapes in JSON. */
function isPlain(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code === 0x22 || code === 0x5c) return false;
  }
  return end > start;
}
