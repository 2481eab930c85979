// Splits a stream into server-sent events, regardless of how the network splits it into packets.

/** In bytes. Far above any event of a chat stream; bounds the memory for an event that never ends. */
const eventBytesMax = 4 << 20;
const byteLf = 10;
const byteCr = 13;
const byteSpace = 0x20;

/** Recognises the data of an event by its bytes, so that it need not be decoded. */
export interface KnownData {
  /** @returns Where the data that begins at `start` ends; -1 if it is not known. */
  endOf(bytes: Buffer, start: number, end: number): number;
  /** Takes data that is known, instead of `onData`. The bytes are valid during the call only. */
  onKnown(bytes: Buffer, start: number, end: number): void;
}

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
  readonly #known: KnownData | undefined;
  /** The start of a line whose end has not arrived yet, in a buffer that doubles. */
  #rest: Buffer = Buffer.alloc(0);
  #restBytes = 0;
  #data: string | undefined = undefined;

  /** @param known Only data that is the whole of its event is asked for, and only where it comes in one packet. */
  constructor(onData: (data: string) => void, known?: KnownData) {
    this.#onData = onData;
    this.#known = known;
  }

  /**
   * Reads `bytes` from `start` to `end`.
   *
   * @throws {RangeError} If one event grows beyond 4 MiB.
   */
  push(bytes: Buffer, start = 0, end = bytes.length): void {
    let position = start;
    // Most packets are known events from their first byte to their last.
    while (position < end) {
      const next = this.#readKnown(bytes, position, end);
      if (next < 0) break;
      position = next;
    }
    // `indexOf` takes no end, and what follows `end` would be searched again for each part of a packet.
    if (position < end) this.#push(bytes.subarray(position, end));
  }

  #push(bytes: Buffer): void {
    const end = bytes.length;
    let position = 0;
    while (position < end) {
      const next = this.#readKnown(bytes, position, end);
      if (next > 0) {
        position = next;
        continue;
      }
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

  /** Reads one line of known data with the empty line after it. @returns Where the next line begins; -1 for any other line. */
  #readKnown(bytes: Buffer, start: number, end: number): number {
    const known = this.#known;
    if (known === undefined || this.#restBytes > 0 || this.#data !== undefined) return -1;
    if (!isData(bytes, start, end)) return -1;
    const valueStart = startOfValue(bytes, start);
    const valueEnd = known.endOf(bytes, valueStart, end);
    const next = valueEnd < 0 ? -1 : afterEmptyLine(bytes, valueEnd);
    if (next < 0 || next > end) return -1;
    known.onKnown(bytes, valueStart, valueEnd);
    return next;
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
      const value = bytes.toString('utf8', startOfValue(bytes, start), end);
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

function startOfValue(bytes: Buffer, lineStart: number): number {
  return bytes[lineStart + 5] === byteSpace ? lineStart + 6 : lineStart + 5;
}

/** Returns the index after two ends of lines at `position`; -1 if there are none. */
function afterEmptyLine(bytes: Buffer, position: number): number {
  const isCr = bytes[position] === byteCr;
  const [first, second] = isCr ? [position + 1, position + 3] : [position, position + 1];
  if (isCr && bytes[position + 2] !== byteCr) return -1;
  return bytes[first] === byteLf && bytes[second] === byteLf ? second + 1 : -1;
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
