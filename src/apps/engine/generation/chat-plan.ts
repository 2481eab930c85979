// A chat request worked out: prompt tokens, bounds, and what the answer must be.

import { badRequest, type ChatRequest } from '../../../core/api/index.ts';
import { chainRoot, hashTokenBlock } from '../../../core/kv/index.ts';
import type { Engine } from '../engine.ts';
import type { Exchange } from '../http/exchange.ts';
import { structuralTagOfTools } from '../structured/structural-tag.ts';
import { chosenCall, demandedCall, type ToolCall } from '../structured/tool-call.ts';
import { chatPromptText, checkUntrusted, encodePrompt } from './chat-prompt.ts';
import { checkModel } from './check-model.ts';
import { admitToEngine } from './engine-admission.ts';
import { checkLengths, fittingPrompt, type LengthRequest, maxTokensWithin } from './limits.ts';
import { noRenderedBeams } from './render-errors.ts';
import { reusedPrompt } from './reused-prompt.ts';
import { checkSamplingOfServer } from './sampling-checks.ts';
import type { PromptPlan } from './start.ts';

export interface ChatPlan extends PromptPlan {
  /** The tool call that every choice is. */
  readonly call: ToolCall | undefined;
  readonly thinks: boolean;
  /** What the tokens were made of; null if they came with the request. */
  readonly promptText: string | null;
}

/**
 * @param options `maxTokensName`: how the client's API calls the bound on the answer; `isRender`: no
 *   engine sees the request, so what only an engine refuses passes.
 * @throws {ApiError} What vLLM answers to a request that cannot be served, in its order.
 */
export function planChat(
  engine: Engine,
  request: ChatRequest,
  options: {
    readonly maxTokensName?: string;
    readonly exchange?: Exchange;
    readonly isRender?: boolean;
  } = {},
): ChatPlan {
  checkModel(engine, request.model);
  if (options.isRender && request.use_beam_search) throw noRenderedBeams();
  engine.checkAdmission(request.n ?? 1);
  const demanded = demandedCall(request, {
    enableAutoToolChoice: engine.options.enableAutoToolChoice ?? false,
    toolCallParser: engine.options.toolCallParser,
  });
  checkUntrusted(request);
  const lengths = lengthsOf(request, options.maxTokensName ?? 'max_tokens');
  checkLengths(engine, lengths);
  const reused = reusedPrompt(engine, request);
  const promptText = reused ? null : chatPromptText(engine, request);
  const tokens =
    reused ?? fittingPrompt(engine, encodePrompt(engine, promptText ?? '', request), lengths, true);
  checkNamedOnce(request);
  const call = demanded ?? ownCall(engine, request, tokens);
  const maxTokens = maxTokensWithin(engine, tokens.length, lengths.maxTokens);
  // An echoed prompt is scored like the answer.
  const echoed = request.echo ? (request.top_logprobs ?? 0) : undefined;
  const sampling = { ...request, prompt_logprobs: request.prompt_logprobs ?? echoed };
  checkSamplingOfServer(sampling, maxTokens);
  const plan = { tokens, maxTokens, call, promptText, thinks: thinks(engine, request) };
  if (options.isRender) return plan;
  const scored = request.logprob_token_ids?.length ? request.logprob_token_ids : null;
  const script = admitToEngine(engine, {
    request: { ...sampling, logprob_token_ids: scored },
    logprobs: request.logprobs === true && !scored ? request.top_logprobs : null,
    prompt: tokens,
    exchange: options.exchange,
    tools: { tag: structuralTagOfTools(request, engine.options.toolCallParser), text: call?.text },
  });
  return { ...plan, script };
}

/** @throws {ApiError} 400 if the tool that must be called is declared twice. */
function checkNamedOnce({ tools, tool_choice: choice }: ChatRequest): void {
  if (typeof choice !== 'object' || choice === null) return;
  const named = tools?.filter((tool) => tool.function?.name === choice.function?.name);
  if ((named?.length ?? 0) > 1) {
    throw badRequest('Forced tool choice must resolve to exactly one tool.');
  }
}

/** Random weights call nothing; a model may, by its prompt and the seeds. */
function ownCall(
  engine: Engine,
  request: ChatRequest,
  tokens: readonly number[],
): ToolCall | undefined {
  const { dummyWeights, seed = 0 } = engine.options;
  if (dummyWeights || (request.tools?.length ?? 0) === 0) return undefined;
  const prompt = hashTokenBlock(chainRoot, tokens, 0, tokens.length);
  const draw = hashTokenBlock(prompt, [seed, request.seed ?? 0], 0, 2);
  return chosenCall(request, Math.abs(draw));
}

function lengthsOf(request: ChatRequest, maxTokensName: string): LengthRequest {
  const { max_completion_tokens: completion } = request;
  const isCompletion = completion != null && maxTokensName === 'max_tokens';
  return {
    maxTokens: completion ?? request.max_tokens,
    maxTokensName: isCompletion ? 'max_completion_tokens' : maxTokensName,
    truncateTo: request.truncate_prompt_tokens,
    truncationSide: request.truncation_side,
  };
}

/** With a reasoning parser the model reasons, unless the request asks its template not to. */
function thinks(engine: Engine, request: ChatRequest): boolean {
  if (engine.options.reasoningParser === undefined) return false;
  return (
    request.reasoning_effort !== 'none' &&
    request.chat_template_kwargs?.['enable_thinking'] !== false
  );
}
