// Parts of a response in Anthropic's format, for both whole and streamed responses.
import type { UsageCounts } from '../../../core/api/index.ts';
import type { TokenDelta } from '../sequences/generated-sequence.ts';
import type { ToolCall } from '../structured/tool-call.ts';

/** Anthropic's input tokens exclude those read from the cache or written to it. */
export function messageUsage(usage: UsageCounts): object {
  const { promptTokens, completionTokens, cachedTokens, createdCacheTokens } = usage;
  const fresh = promptTokens - (cachedTokens ?? 0) - (createdCacheTokens ?? 0);
  return {
    input_tokens: Math.max(0, fresh),
    output_tokens: completionTokens,
    ...(createdCacheTokens !== undefined && { cache_creation_input_tokens: createdCacheTokens }),
    ...(cachedTokens !== undefined && { cache_read_input_tokens: cachedTokens }),
  };
}

/** Returns why the response ended, with Anthropic's terms. */
export function messageEnd(
  { finishReason, stopReason }: Pick<TokenDelta, 'finishReason' | 'stopReason'>,
  call: ToolCall | undefined,
): { readonly stop_reason: string | null; readonly stop_sequence: string | null } {
  if (finishReason === 'length') return { stop_reason: 'max_tokens', stop_sequence: null };
  if (finishReason !== 'stop') return { stop_reason: null, stop_sequence: null };
  if (call) return { stop_reason: 'tool_use', stop_sequence: null };
  return typeof stopReason === 'string'
    ? { stop_reason: 'stop_sequence', stop_sequence: stopReason }
    : { stop_reason: 'end_turn', stop_sequence: null };
}
