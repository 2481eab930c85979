// How much of a response's texts its client has. Lengths are bytes of JSON, as a usual event is not decoded.

/** The texts of a response. */
export class ShownText {
  content = 0;
  reasoning = 0;
  /** Arguments of each tool call that has begun, by its index. */
  readonly calls: number[] = [];

  /** A copy without tool calls. */
  beforeCalls(): ShownText {
    const copy = new ShownText();
    copy.content = this.content;
    copy.reasoning = this.reasoning;
    return copy;
  }
}

const byteQuote = 0x22;
const byteBackslash = 0x5c;

/** Bytes of a text within a string of JSON, as engines and JSON.stringify write it. */
export function jsonLength(text: string): number {
  let length = 0;
  for (const character of text) length += jsonLengthOf(character.codePointAt(0) as number);
  return length;
}

/** @returns The text after `length` bytes of JSON; undefined if they end within a character. */
export function textAfter(text: string, length: number): string | undefined {
  let at = 0;
  let left = length;
  for (const character of text) {
    if (left <= 0) break;
    left -= jsonLengthOf(character.codePointAt(0) as number);
    at += character.length;
  }
  return left === 0 ? text.slice(at) : undefined;
}

function jsonLengthOf(code: number): number {
  if (code >= 0x80) return code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
  if (code >= 0x20) return code === byteQuote || code === byteBackslash ? 2 : 1;
  // \b, \t, \n, \f and \r have short forms.
  return (code >= 8 && code <= 10) || code === 12 || code === 13 ? 2 : 6;
}
