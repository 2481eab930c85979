// The tokens of a prompt, from the engine's own /tokenize: its cache is keyed by its own template and
// tokenizer.
import type { RequestFields } from '../../../core/protocol/index.ts';
import { fetchBytes } from '../../../io/http/index.ts';
import type { Engine } from '../fleet/engine.ts';

/** Maximum time that a request waits for its tokens; after that it is routed without them. */
const tokenizeTimeoutMs = 1_000;
/** About 4 M tokens. */
const answerBytesMax = 32 * 1_048_576;
/** Parts of a prompt that /tokenize accepts under the same names. */
const tokenizableKeys: ReadonlySet<string> = new Set(['tools', 'messages', 'prompt']);

/**
 * Asks an engine for the tokens of a chat or completion.
 *
 * @returns undefined if the request has no such prompt, or the engine does not respond in time.
 */
export async function promptTokens(
  engine: Engine,
  model: string,
  fields: RequestFields,
): Promise<ArrayLike<number> | undefined> {
  const hasPrompt = fields.promptKeys.some((key) => key === 'messages' || key === 'prompt');
  if (!hasPrompt) return undefined;
  const parts = fields.promptKeys.flatMap((key, i) =>
    tokenizableKeys.has(key) ? [Buffer.from(`,"${key}":`), fields.prompt[i] as Uint8Array] : [],
  );
  const start = Buffer.from(`{"model":${JSON.stringify(model)}`);
  try {
    const answer = await fetchBytes(engine.pool, {
      method: 'POST',
      target: `${engine.basePath}/tokenize`,
      headers: ['Content-Type: application/json', ...engine.authorizationLines],
      body: Buffer.concat([start, ...parts, Buffer.from('}')]),
      timeoutMs: tokenizeTimeoutMs,
      bytesMax: answerBytesMax,
    });
    if (answer.status !== 200) return undefined;
    const { tokens } = JSON.parse(answer.body.toString()) as { tokens?: unknown };
    return Array.isArray(tokens) ? Uint32Array.from(tokens as number[]) : undefined;
  } catch {
    // Without tokens the policy falls back to load; the request itself must not fail.
    return undefined;
  }
}
