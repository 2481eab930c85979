// Token counts from the end of a response, found without parsing the whole response.

/** Counts as OpenAI's `usage` has them. */
export interface Usage {
  readonly promptTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  readonly cachedTokens?: number | undefined;
}

/** `usage` is within this distance of a response's end. */
const usageWithinBytes = 2048;
/** Digits of a count; no more, so that it is an exact integer. */
const digitsMax = 15;
const marker = Buffer.from('"usage":');

/** The counts in the last bytes of a response or of one of its events; undefined if there are none. */
export function usageNear(bytes: Buffer): Usage | undefined {
  const from = Math.max(0, bytes.length - usageWithinBytes);
  const tail = from === 0 ? bytes : bytes.subarray(from);
  const at = tail.lastIndexOf(marker);
  if (at < 0) return undefined;
  const text = tail.toString('latin1', at, Math.min(tail.length, at + 1024));
  const promptTokens = countAfter(text, '"prompt_tokens":');
  if (promptTokens === undefined) return undefined;
  return {
    promptTokens,
    outputTokens: countAfter(text, '"completion_tokens":'),
    cachedTokens: countAfter(text, '"cached_tokens":'),
  };
}

/** The digits after the first `key` and white space, at most 15. Scanned by hand: a regular expression allocates. */
function countAfter(text: string, key: string): number | undefined {
  const found = text.indexOf(key);
  if (found < 0) return undefined;
  let index = found + key.length;
  while (isWhiteSpace(text.charCodeAt(index))) index++;
  const end = index + digitsMax;
  let count: number | undefined;
  for (; index < end; index++) {
    const digit = text.charCodeAt(index) - 0x30;
    if (!(digit >= 0 && digit <= 9)) break;
    count = 10 * (count ?? 0) + digit;
  }
  return count;
}

/** Space, tab, line feed or carriage return: the white space of JSON. */
function isWhiteSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}
