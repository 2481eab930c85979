// A chat request worked out: prompt tokens, bounds, and what the answer must be.
import { type ChatRequest, checkSampling } from '../../../core/protocol/index.ts';
import type { Engine } from '../engine.ts';
import { constrainedText } from '../structured/constrained-text.ts';
import { demandedCall, type ToolCall } from '../structured/tool-call.ts';
import { chatPrompt } from './chat-prompt.ts';
import { checkModel } from './check-model.ts';
import { checkTopLogprobs, maxTokensOf } from './limits.ts';
import type { PromptPlan } from './start.ts';

export interface ChatPlan extends PromptPlan {
  /** The tool call that every choice is. */
  readonly call: ToolCall | undefined;
  readonly thinks: boolean;
}

/**
 * @param maxTokensName How the client's API calls the bound on the answer.
 * @throws {ApiError} What vLLM answers to a request that cannot be served, in its order.
 */
export function planChat(
  engine: Engine,
  request: ChatRequest,
  maxTokensName = 'max_tokens',
): ChatPlan {
  checkModel(engine, request.model);
  engine.checkAdmission(request.n ?? 1);
  const call = demandedCall(request, {
    enableAutoToolChoice: engine.options.enableAutoToolChoice ?? false,
    toolCallParser: engine.options.toolCallParser,
  });
  const text = call?.text ?? constrainedText(request);
  const tokens = chatPrompt(engine, request);
  const asked = request.max_completion_tokens ?? request.max_tokens;
  const maxTokens = maxTokensOf(engine, tokens.length, asked, true, maxTokensName);
  checkTopLogprobs(request.logprobs === true ? request.top_logprobs : null);
  checkSampling(request, { maxTokens, vocabularySize: engine.vocabularySize });
  const script = text === undefined ? undefined : engine.tokenizer.encode(text);
  return { tokens, maxTokens, script, call, thinks: thinks(engine, request) };
}

/** With a reasoning parser the model reasons, unless the request asks its template not to. */
function thinks(engine: Engine, request: ChatRequest): boolean {
  if (engine.options.reasoningParser === undefined) return false;
  return (
    request.reasoning_effort !== 'none' &&
    request.chat_template_kwargs?.['enable_thinking'] !== false
  );
}
