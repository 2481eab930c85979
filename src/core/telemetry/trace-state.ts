// What tracing systems attach to a trace, as the W3C header `tracestate` carries it. Spillway adds no entry of its
// own: a valid header passes on, an invalid one is dropped.

/** Maximum number of entries; the specification requires that a header with more is dropped. */
export const traceStateEntriesMax = 32;
/** Maximum length of the header; the specification asks for at least 512 characters to be passed on. */
export const traceStateLengthMax = 512;
const keyLengthMax = 256;
const valueLengthMax = 256;

/**
 * Reads the `tracestate` headers of a request and writes them as one.
 *
 * @param values The headers' values in their order. They may come from any client.
 * @returns Undefined if there is none, or if one is invalid or beyond the bounds.
 * @example joinTraceState(['rojo=00f067aa0ba902b7 , congo=t61rcWkgMzE']); // 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE'
 * @see https://www.w3.org/TR/trace-context/#tracestate-header
 */
export function joinTraceState(values: readonly string[]): string | undefined {
  let length = 0;
  for (const value of values) length += value.length + 1;
  if (length - 1 > traceStateLengthMax) return undefined;
  const keys = new Set<string>();
  const entries: string[] = [];
  for (const value of values) {
    for (const part of value.split(',')) {
      const entry = trimmed(part);
      if (entry === '') continue;
      const key = keyOf(entry);
      if (key === undefined || keys.has(key)) return undefined;
      keys.add(key);
      entries.push(entry);
    }
  }
  if (entries.length === 0 || entries.length > traceStateEntriesMax) return undefined;
  return entries.join(',');
}

/** The key of a valid entry; undefined for an invalid one. */
function keyOf(entry: string): string | undefined {
  const equals = entry.indexOf('=');
  const key = entry.slice(0, equals);
  if (equals < 1 || key.length > keyLengthMax || !isKey(key)) return undefined;
  const valueLength = entry.length - equals - 1;
  if (valueLength < 1 || valueLength > valueLengthMax) return undefined;
  for (let i = equals + 1; i < entry.length; i++) {
    const code = entry.charCodeAt(i);
    if (code < 0x20 || code > 0x7e || code === 0x3d) return undefined;
  }
  return key;
}

/** Lower-case letters, digits, `_-*\/`, and one `@`; starts with a letter or a digit. */
function isKey(key: string): boolean {
  let ats = 0;
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    const isLetter = code >= 0x61 && code <= 0x7a;
    const isDigit = code >= 0x30 && code <= 0x39;
    if (isLetter || isDigit) continue;
    if (i === 0) return false;
    if (code === 0x40) ats++;
    else if (code !== 0x5f && code !== 0x2d && code !== 0x2a && code !== 0x2f) return false;
  }
  return ats <= 1 && !key.endsWith('@');
}

/** Without the spaces and tabs around an entry. */
function trimmed(part: string): string {
  let start = 0;
  let end = part.length;
  while (start < end && isBlank(part.charCodeAt(start))) start++;
  while (end > start && isBlank(part.charCodeAt(end - 1))) end--;
  return part.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
