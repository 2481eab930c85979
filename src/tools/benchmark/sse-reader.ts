// Splits a stream into server-sent events, regardless of how the network splits it into packets.

/** In bytes. Far above any event of a chat stream; bounds the memory for an event that never ends. */
const eventBytesMax = 4 << 20;
const byteLf = 10;
const byteCr = 13;

/**
 * Collects bytes and passes on the data of each complete event. Lines end with LF or CRLF. The spec also
 * allows a lone CR, which no OpenAI-compatible server sends, so it does not count as a line end here.
 *
 * @example
 * const reader = new SseReader((data) => seen.push(data));
 * reader.push(Buffer.from('data: {"a"'));
 * reader.push(Buffer.from(':1}\n\n: ping\n\n')); // seen: ['{"a":1}']
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export class SseReader {
  readonly #onData: (data: string) => void;
  /** The start of a line whose end has not arrived yet, in a buffer that doubles. */
  #rest: Buffer = Buffer.alloc(0);
  #restBytes = 0;
  #data: string | undefined = undefined;

  constructor(onData: (data: string) => void) {
    this.#onData = onData;
  }

  /**
   * Reads `bytes` from `start` to `end`.
   *
   * @throws {RangeError} If one event grows beyond 4 MiB.
   */
  push(bytes: Buffer, start = 0, end = bytes.length): void {
    // `indexOf` takes no end, and what follows `end` would be searched again for each part of a packet.
    this.#push(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
  }

  #push(bytes: Buffer): void {
    const end = bytes.length;
    let position = 0;
    while (position < end) {
      const lf = bytes.indexOf(byteLf, position);
      if (lf < 0) break;
      if (this.#restBytes === 0) this.#line(bytes, position, lf);
      else {
        this.#keep(bytes, position, lf);
        const length = this.#restBytes;
        this.#restBytes = 0;
        this.#line(this.#rest, 0, length);
      }
      position = lf + 1;
    }
    if (position < end) this.#keep(bytes, position, end);
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    const length = this.#restBytes + end - start;
    checkLength(length + (this.#data?.length ?? 0));
    if (length > this.#rest.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, 2 * this.#rest.length));
      this.#rest.copy(larger, 0, 0, this.#restBytes);
      this.#rest = larger;
    }
    bytes.copy(this.#rest, this.#restBytes, start, end);
    this.#restBytes = length;
  }

  #line(bytes: Buffer, start: number, lineEnd: number): void {
    const end = lineEnd > start && bytes[lineEnd - 1] === byteCr ? lineEnd - 1 : lineEnd;
    if (end === start) {
      const data = this.#data;
      this.#data = undefined;
      if (data !== undefined) this.#onData(data);
    } else if (isData(bytes, start, end)) {
      const valueStart = bytes[start + 5] === 0x20 ? start + 6 : start + 5;
      const value = bytes.toString('utf8', valueStart, end);
      this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
      checkLength(this.#data.length);
    }
    // A chat stream does not use comments (":") and the fields event, id and retry.
  }
}

function checkLength(length: number): void {
  if (length > eventBytesMax)
    throw new RangeError(`An event is longer than ${eventBytesMax} bytes`);
}

/** Whether a line begins with `data:`. */
function isData(bytes: Buffer, start: number, end: number): boolean {
  return (
    end - start >= 5 &&
    bytes[start] === 0x64 &&
    bytes[start + 1] === 0x61 &&
    bytes[start + 2] === 0x74 &&
    bytes[start + 3] === 0x61 &&
    bytes[start + 4] === 0x3a
  );
}
