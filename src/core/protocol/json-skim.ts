// Finds the values of a few top-level keys of a JSON object in its bytes, without building objects.
// A router needs four short fields of a body that may have a megabyte; JSON.parse of all of it costs
// more than everything else that the router does.
import { SpillwayError } from '../base/index.ts';

/** The bytes are not one JSON object. */
export class JsonSyntaxError extends SpillwayError {
  override readonly name = 'JsonSyntaxError';
  readonly code = 'ERR_JSON_SYNTAX';
}

/** Maximum nesting; Python's own parser fails at about 1,000 levels. */
const nestingMax = 512;
/**
 * Maximum number of top-level keys, because each is compared with every key to find. OpenAI's largest request
 * has about 40.
 */
const keysMax = 4_096;
/** Maximum length of an escaped key that is decoded; the keys to find are shorter. */
const escapedKeyBytesMax = 256;
/** So many bytes of a string are scanned here; a native search is faster if its next quote is farther away. */
const shortStringBytes = 64;

const byteQuote = 0x22;
const byteBackslash = 0x5c;
const byteComma = 0x2c;
const byteColon = 0x3a;
const byteOpenObject = 0x7b;
const byteCloseObject = 0x7d;
const byteOpenArray = 0x5b;
const byteCloseArray = 0x5d;

// One scan runs at a time, so one stack of open brackets serves all.
const openBrackets = new Uint8Array(nestingMax);

/**
 * Finds top-level values. Checks the structure (brackets, strings, commas) but not every nested scalar, because
 * the engine parses the body anyway and may refuse it.
 *
 * @param bytes One JSON object in UTF-8, optionally surrounded by white space.
 * @param keys Keys to find, ASCII.
 * @param spans Takes the result. @default a new array
 * @returns Shape [2 × keys]: start and end of each key's value, -1 and -1 if absent. The last occurrence of a
 *   repeated key counts, as for JSON.parse and Python's json.
 * @throws {JsonSyntaxError} If the bytes are not one JSON object, nest deeper than 512, or have more than
 *   4,096 top-level keys.
 * @example
 * const body = new TextEncoder().encode('{"model":"m","stream":true}');
 * skimJsonObject(body, ['stream', 'tools']); // [22, 26, -1, -1]
 */
export function skimJsonObject(
  bytes: Uint8Array,
  keys: readonly string[],
  spans: Int32Array = new Int32Array(2 * keys.length),
): Int32Array {
  spans.fill(-1);
  let index = skipSpace(bytes, 0);
  if (bytes[index] !== byteOpenObject) throw new JsonSyntaxError('The body is not a JSON object.');
  index = skipSpace(bytes, index + 1);
  if (bytes[index] === byteCloseObject) return atEnd(bytes, index + 1, spans);
  for (let keyCount = 1; ; keyCount++) {
    if (keyCount > keysMax) {
      throw new JsonSyntaxError(`The body has more than ${keysMax} top-level keys.`);
    }
    if (bytes[index] !== byteQuote) throw malformed(index);
    const keyStart = index;
    index = skipString(bytes, index);
    const key = findKey(bytes, keyStart + 1, index - 1, keys);
    index = skipSpace(bytes, index);
    if (bytes[index] !== byteColon) throw malformed(index);
    const valueStart = skipSpace(bytes, index + 1);
    index = skipValue(bytes, valueStart);
    if (key >= 0) {
      spans[2 * key] = valueStart;
      spans[2 * key + 1] = index;
    }
    index = skipSpace(bytes, index);
    if (bytes[index] === byteCloseObject) return atEnd(bytes, index + 1, spans);
    if (bytes[index] !== byteComma) throw malformed(index);
    index = skipSpace(bytes, index + 1);
  }
}

/** The value of a JSON string with escapes resolved; undefined if the span is not a string. */
export function jsonStringAt(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (start < 0 || bytes[start] !== byteQuote) return undefined;
  let text = '';
  for (let i = start + 1; i < end - 1; i++) {
    const byte = bytes[i] as number;
    if (byte === byteBackslash || byte >= 0x80 || byte < 0x20)
      return decodeSlowly(bytes, start, end);
    text += String.fromCharCode(byte);
  }
  return text;
}

/** The value of a JSON number; undefined if the span is not a number. */
export function jsonNumberAt(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (start < 0 || end - start > 32) return undefined;
  return digitsAt(bytes, start, end) ?? numberAt(bytes, start, end);
}

/** The value of up to 15 digits without a leading zero, as most numbers are; undefined for others. */
function digitsAt(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (end - start > 15 || bytes[start] === 0x30) return undefined;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = (bytes[i] as number) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = 10 * value + digit;
  }
  return value;
}

function numberAt(bytes: Uint8Array, start: number, end: number): number | undefined {
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] as number);
  return /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}

/** Whether the span is `true`. */
export function jsonTrueAt(bytes: Uint8Array, start: number, end: number): boolean {
  return start >= 0 && end - start === 4 && bytes[start] === 0x74;
}

function decodeSlowly(bytes: Uint8Array, start: number, end: number): string | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(start, end)));
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

function atEnd(bytes: Uint8Array, index: number, spans: Int32Array): Int32Array {
  const end = skipSpace(bytes, index);
  if (end < bytes.length) throw malformed(end);
  return spans;
}

export function malformed(index: number): JsonSyntaxError {
  return new JsonSyntaxError(`The body is not valid JSON: unexpected byte at position ${index}.`);
}

export function skipSpace(bytes: Uint8Array, start: number): number {
  let index = start;
  for (;;) {
    const byte = bytes[index];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return index;
    index++;
  }
}

export function skipValue(bytes: Uint8Array, start: number): number {
  const byte = bytes[start];
  if (byte === byteQuote) return skipString(bytes, start);
  if (byte === byteOpenObject || byte === byteOpenArray) return skipNested(bytes, start);
  const end = skipScalar(bytes, start);
  if (end === start) throw malformed(start);
  return end;
}

/** Letters, digits, signs and points: the bytes of numbers and literals. */
function skipScalar(bytes: Uint8Array, start: number): number {
  let index = start;
  for (;;) {
    const byte = bytes[index];
    if (byte === undefined) return index;
    const lower = byte | 0x20;
    const isPart =
      (byte >= 0x30 && byte <= 0x39) ||
      (lower >= 0x61 && lower <= 0x7a) ||
      byte === 0x2b ||
      byte === 0x2d ||
      byte === 0x2e;
    if (!isPart) return index;
    index++;
  }
}

/** @param start At the opening quote. @returns The index after the closing one. */
export function skipString(bytes: Uint8Array, start: number): number {
  let index = start + 1;
  for (;;) {
    const shortEnd = Math.min(bytes.length, index + shortStringBytes);
    while (index < shortEnd) {
      const byte = bytes[index] as number;
      if (byte === byteQuote) return index + 1;
      index += byte === byteBackslash ? 2 : 1;
    }
    const quote = bytes.indexOf(byteQuote, index);
    if (quote < 0) throw new JsonSyntaxError('The body is not valid JSON: a string has no end.');
    let before = quote - 1;
    while (before >= index && bytes[before] === byteBackslash) before--;
    // An even number of backslashes escape each other and leave the quote alone.
    if (((quote - 1 - before) & 1) === 0) return quote + 1;
    // Where one quote is escaped, the next is often near.
    index = quote + 1;
  }
}

/** @param start At the opening bracket. @returns The index after its closing one. */
function skipNested(bytes: Uint8Array, start: number): number {
  const end = bytes.length;
  let depth = 0;
  let index = start;
  while (index < end) {
    const byte = bytes[index] as number;
    switch (byte) {
      case byteQuote:
        index = skipString(bytes, index);
        continue;
      case byteOpenObject:
      case byteOpenArray:
        if (depth === nestingMax) {
          throw new JsonSyntaxError(`The body nests deeper than ${nestingMax} levels.`);
        }
        openBrackets[depth++] = byte;
        break;
      case byteCloseObject:
      case byteCloseArray:
        // "[" and "]", "{" and "}" are two apart.
        if (openBrackets[--depth] !== byte - 2) throw malformed(index);
        if (depth === 0) return index + 1;
        break;
      default:
    }
    index++;
  }
  throw new JsonSyntaxError('The body is not valid JSON: it ends too early.');
}

/** Index of the key that equals the bytes; -1 for none. */
export function findKey(
  bytes: Uint8Array,
  start: number,
  end: number,
  keys: readonly string[],
): number {
  const length = end - start;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    if (key.length !== length) continue;
    let at = 0;
    while (at < length && bytes[start + at] === key.charCodeAt(at)) at++;
    if (at === length) return i;
  }
  if (length <= escapedKeyBytesMax && bytes.subarray(start, end).includes(byteBackslash)) {
    const decoded = decodeSlowly(bytes, start - 1, end + 1);
    return decoded === undefined ? -1 : keys.indexOf(decoded);
  }
  return -1;
}
