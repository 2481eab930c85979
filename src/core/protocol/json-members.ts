// Writes members of a JSON object in place of those that it has under the same names.
import { findKey, malformed, skipSpace, skipString, skipValue } from './json-skim.ts';

const byteQuote = 0x22;
const byteComma = 0x2c;
const byteColon = 0x3a;
const byteOpenObject = 0x7b;
const byteCloseObject = 0x7d;

/**
 * Returns an object with these members behind its own. Its own members of these names are left out, so that no name
 * occurs twice; the bytes of all others stay as they are, with each digit of large numbers.
 *
 * @param bytes One JSON object in UTF-8, optionally surrounded by white space.
 * @param members Names, in ASCII without escapes, to values as JSON; undefined to leave the member out.
 * @throws {JsonSyntaxError} If the bytes are not a JSON object.
 * @example
 * withMembers(encoded('{"n":2,"model":"m"}'), { n: '1' }); // '{"model":"m","n":1}'
 */
export function withMembers(
  bytes: Uint8Array,
  members: Readonly<Record<string, string | undefined>>,
): Uint8Array {
  const names = Object.keys(members);
  const added = encoder.encode(
    names
      .flatMap((name) => (members[name] === undefined ? [] : `"${name}":${members[name]}`))
      .join(','),
  );
  const runs = keptRuns(bytes, names);
  const parts: Uint8Array[] = [];
  for (const [start, end] of runs) parts.push(bytes.subarray(start, end));
  if (added.length > 0) parts.push(added);
  return objectOf(parts);
}

/** The stretches of members that stay, without the commas around them. */
function keptRuns(bytes: Uint8Array, names: readonly string[]): [number, number][] {
  const runs: [number, number][] = [];
  let isRunning = false;
  let index = skipSpace(bytes, 0);
  if (bytes[index] !== byteOpenObject) throw malformed(index);
  index = skipSpace(bytes, index + 1);
  if (bytes[index] === byteCloseObject) return runs;
  for (;;) {
    if (bytes[index] !== byteQuote) throw malformed(index);
    const start = index;
    const keyEnd = skipString(bytes, index);
    const isKept = findKey(bytes, start + 1, keyEnd - 1, names) < 0;
    index = skipSpace(bytes, keyEnd);
    if (bytes[index] !== byteColon) throw malformed(index);
    const end = skipValue(bytes, skipSpace(bytes, index + 1));
    if (isKept && isRunning) (runs.at(-1) as [number, number])[1] = end;
    else if (isKept) runs.push([start, end]);
    isRunning = isKept;
    index = skipSpace(bytes, end);
    if (bytes[index] === byteCloseObject) return runs;
    if (bytes[index] !== byteComma) throw malformed(index);
    index = skipSpace(bytes, index + 1);
  }
}

function objectOf(parts: readonly Uint8Array[]): Uint8Array {
  const commas = Math.max(0, parts.length - 1);
  const whole = new Uint8Array(2 + commas + parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  whole[at++] = byteOpenObject;
  for (const [i, part] of parts.entries()) {
    if (i > 0) whole[at++] = byteComma;
    whole.set(part, at);
    at += part.length;
  }
  whole[at] = byteCloseObject;
  return whole;
}

const encoder = new TextEncoder();
