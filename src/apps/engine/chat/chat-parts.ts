// Parts of a chat response that depend on the request.
import type { ChatRequest } from '../../../core/api/index.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import type { FinishReason } from '../sequences/generated-sequence.ts';
import type { ToolCall } from '../structured/tool-call.ts';

/**
 * Returns the role of the response: the model's, or that of the last message if the response
 * continues it.
 */
export function responseRole(request: ChatRequest): string {
  if (request.add_generation_prompt === false) {
    const role = request.messages?.at(-1)?.['role'];
    if (typeof role === 'string') return role;
  }
  return 'assistant';
}

/** Returns the last message with `echo`, if the response has the same role. */
export function echoedText(request: ChatRequest): string {
  const last = request.messages?.at(-1);
  const content = last?.['content'];
  const isEchoed = request.echo === true && last?.['role'] === responseRole(request);
  return isEchoed && typeof content === 'string' ? content : '';
}

/** A required tool call ends with `tool_calls`, a named one with `stop`, as in vLLM. */
export function finishReasonOf(
  reason: FinishReason | null,
  request: ChatRequest,
  call: ToolCall | undefined,
): string | null {
  const isNamed = typeof request.tool_choice === 'object' && request.tool_choice !== null;
  return call && reason === 'stop' && !isNamed ? 'tool_calls' : reason;
}

/**
 * Without reasoning, the tokens that a parser processed are not reported either, because they could
 * reveal it.
 */
export function hidesTokens(engine: EmbeddedEngine, request: ChatRequest): boolean {
  const { reasoningParser, toolCallParser } = engine.options;
  return (
    request.include_reasoning === false &&
    (reasoningParser !== undefined || toolCallParser !== undefined)
  );
}
