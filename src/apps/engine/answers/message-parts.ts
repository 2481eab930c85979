// Parts of an answer in Anthropic's form that both of its shapes share.
import type { UsageCounts } from '../../../core/api/index.ts';
import type { TokenDelta } from '../sequence.ts';
import type { ToolCall } from '../structured/tool-call.ts';

/** Anthropic's input excludes what came from the cache or went into it. */
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

/** Why the answer ended, in Anthropic's words. */
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
