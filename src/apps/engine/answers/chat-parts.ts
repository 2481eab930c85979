// Parts of a chat answer that depend on the request.
import type { ChatRequest } from '../../../core/api/index.ts';
import type { Engine } from '../engine.ts';
import type { FinishReason } from '../sequence.ts';
import type { ToolCall } from '../structured/tool-call.ts';

/** The role of the answer: the model's, or that of the last message when it goes on. */
export function answerRole(request: ChatRequest): string {
  if (request.add_generation_prompt === false) {
    const role = request.messages?.at(-1)?.['role'];
    if (typeof role === 'string') return role;
  }
  return 'assistant';
}

/** With `echo`, the last message; but only if the answer goes on in its role. */
export function echoedText(request: ChatRequest): string {
  const last = request.messages?.at(-1);
  const content = last?.['content'];
  const isEchoed = request.echo === true && last?.['role'] === answerRole(request);
  return isEchoed && typeof content === 'string' ? content : '';
}

/** A required call ends with `tool_calls`; a named one with `stop`, as in vLLM. */
export function finishReasonOf(
  reason: FinishReason | null,
  request: ChatRequest,
  call: ToolCall | undefined,
): string | null {
  const isNamed = typeof request.tool_choice === 'object' && request.tool_choice !== null;
  return call && reason === 'stop' && !isNamed ? 'tool_calls' : reason;
}

/** Without reasoning, neither what a parser looked at is told token by token, as it could show it. */
export function hidesTokens(engine: Engine, request: ChatRequest): boolean {
  const { reasoningParser, toolCallParser } = engine.options;
  return (
    request.include_reasoning === false &&
    (reasoningParser !== undefined || toolCallParser !== undefined)
  );
}
