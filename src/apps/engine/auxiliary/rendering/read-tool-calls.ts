// Finds tool calls in Hermes' format in generated text.

/** A call as written in the text. */
interface WrittenCall {
  readonly name: string;
  readonly argumentsJson: string;
}

/** @returns The calls and the text before them; undefined if there is no call. */
export function readToolCalls(
  text: string,
): { readonly content: string; readonly calls: readonly WrittenCall[] } | undefined {
  const calls: WrittenCall[] = [];
  for (const [, json] of text.matchAll(/<tool_call>([\s\S]*?)(?:<\/tool_call>|$)/g)) {
    try {
      const { name, arguments: given } = JSON.parse(json ?? '') as Record<string, unknown>;
      calls.push({ name: String(name), argumentsJson: asWritten(json ?? '', given) });
    } catch {
      // vLLM leaves text with a malformed call unchanged.
      return undefined;
    }
  }
  if (calls.length === 0) return undefined;
  return { content: text.slice(0, text.indexOf('<tool_call>')), calls };
}

/**
 * Returns the arguments with the model's own spaces, if they are the last field, as models write
 * them.
 */
function asWritten(json: string, given: unknown): string {
  const written = /"arguments"\s*:\s*([\s\S]*?)\s*\}\s*$/.exec(json)?.[1];
  return written === undefined ? JSON.stringify(given) : written;
}
