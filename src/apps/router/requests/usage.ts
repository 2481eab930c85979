// Token counts from the end of a response, found without parsing the whole response.

/** Counts as OpenAI's `usage` has them. */
export interface Usage {
  readonly promptTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  readonly cachedTokens?: number | undefined;
}

/** `usage` is within this distance of a response's end. */
const usageWithinBytes = 2048;
const marker = Buffer.from('"usage":');

/** The counts in the last bytes of a response or of one of its events; undefined if there are none. */
export function usageNear(bytes: Buffer): Usage | undefined {
  const from = Math.max(0, bytes.length - usageWithinBytes);
  const tail = from === 0 ? bytes : bytes.subarray(from);
  const at = tail.lastIndexOf(marker);
  if (at < 0) return undefined;
  const text = tail.toString('latin1', at, Math.min(tail.length, at + 1024));
  const promptTokens = countIn(text, /"prompt_tokens":\s*(\d{1,15})/);
  if (promptTokens === undefined) return undefined;
  return {
    promptTokens,
    outputTokens: countIn(text, /"completion_tokens":\s*(\d{1,15})/),
    cachedTokens: countIn(text, /"cached_tokens":\s*(\d{1,15})/),
  };
}

function countIn(text: string, pattern: RegExp): number | undefined {
  const found = pattern.exec(text);
  return found === null ? undefined : Number(found[1]);
}
