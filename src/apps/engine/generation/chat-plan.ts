// A chat request worked out: prompt tokens, bounds, and what the answer must be.
import { badRequest, type ChatRequest, checkSampling } from '../../../core/protocol/index.ts';
import type { Engine } from '../engine.ts';
import { constrainedText } from '../structured/constrained-text.ts';
import { demandedCall, type ToolCall } from '../structured/tool-call.ts';
import { chatPrompt } from './chat-prompt.ts';
import { checkModel } from './check-model.ts';
import { checkLogprobs, maxTokensOf, truncated } from './limits.ts';
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
  const tokens = truncated(chatPrompt(engine, request), request);
  if (request.thinking_token_budget != null && engine.options.reasoningParser === undefined) {
    throw badRequest(
      'thinking_token_budget is set but reasoning_config is not configured. Please set --reasoning-parser and/or --reasoning-config to use thinking_token_budget.',
    );
  }
  const asked = request.max_completion_tokens ?? request.max_tokens;
  const name =
    request.max_completion_tokens != null && maxTokensName === 'max_tokens'
      ? 'max_completion_tokens'
      : maxTokensName;
  const maxTokens = maxTokensOf(engine, tokens.length, asked, true, name);
  checkLogprobs(engine, request.logprobs === true ? request.top_logprobs : null, request);
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
