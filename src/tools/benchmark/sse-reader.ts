// Splits a stream into server-sent events, regardless of how the network splits it into packets.

/** Far above any event of a chat stream; bounds the memory for an event that never ends. */
const eventLengthMax = 4 << 20;

/**
 * Collects text and passes on the data of each complete event. Lines end with LF or CRLF. The spec also
 * allows a lone CR, which no OpenAI-compatible server sends, so it does not count as a line end here.
 *
 * @example
 * const reader = new SseReader((data) => seen.push(data));
 * reader.push('data: {"a"');
 * reader.push(':1}\n\n: ping\n\n'); // seen: ['{"a":1}']
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export class SseReader {
  readonly #onData: (data: string) => void;
  #rest = '';
  #data: string | undefined;

  constructor(onData: (data: string) => void) {
    this.#onData = onData;
  }

  /** @throws {RangeError} If one event grows beyond 4 MiB. */
  push(text: string): void {
    const all = this.#rest === '' ? text : this.#rest + text;
    let start = 0;
    // Searching only the new text keeps an event that arrives in tiny pieces linear.
    while (text.includes('\n')) {
      const end = all.indexOf('\n', start);
      if (end < 0) break;
      this.#line(all.slice(start, all.charCodeAt(end - 1) === 13 ? end - 1 : end));
      start = end + 1;
    }
    this.#rest = all.slice(start);
    if (this.#rest.length + (this.#data?.length ?? 0) > eventLengthMax) {
      throw new RangeError(`An event is longer than ${eventLengthMax} characters`);
    }
  }

  #line(line: string): void {
    if (line === '') {
      const data = this.#data;
      this.#data = undefined;
      if (data !== undefined) this.#onData(data);
    } else if (line.startsWith('data:')) {
      const value = line.slice(line.charCodeAt(5) === 32 ? 6 : 5);
      this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
    }
    // A chat stream does not use comments (":") and the fields event, id and retry.
  }
}
