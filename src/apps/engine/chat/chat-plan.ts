// Plans a chat request: prompt tokens, limits, and the constraint on the response.

import { badRequest, type ChatRequest, checkConstraintSize } from '../../../core/api/index.ts';
import { chainRoot, hashTokenBlock } from '../../../core/kv/index.ts';
import { admitToEngine } from '../generation/engine-admission.ts';
import {
  checkLengths,
  fittingPrompt,
  type LengthRequest,
  maxTokensWithin,
  textTokensMax,
} from '../generation/limits.ts';
import { checkMultiplied } from '../generation/request-bounds.ts';
import { checkModel, checkSamplingOfServer, noRenderedBeams } from '../generation/server-checks.ts';
import type { PromptPlan } from '../generation/start-generation.ts';
import type { Exchange } from '../http/exchange.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import { structuralTagOfTools } from '../structured/structural-tag.ts';
import { chosenCall, demandedCall, type ToolCall } from '../structured/tool-call.ts';
import { isReasoningOver } from '../text/thinking.ts';
import { chatPromptText, checkUntrusted, encodePrompt } from './chat-prompt.ts';
import { reusedPrompt } from './reused-prompt.ts';

export interface ChatPlan extends PromptPlan {
  /** The tool call of which every choice consists. */
  readonly call: ToolCall | undefined;
  readonly thinks: boolean;
  /** The text of the tokens; null if the request contained the tokens. */
  readonly promptText: string | null;
}

/**
 * @param options `maxTokensName`: name of the response limit in the client's API; `isRender`: no
 * engine receives the request, so checks that only an engine makes are skipped.
 * @throws {ApiError} vLLM's response to a request that cannot be served, in its order of checks.
 */
export async function planChat(
  engine: EmbeddedEngine,
  request: ChatRequest,
  options: {
    readonly maxTokensName?: string;
    readonly exchange?: Exchange;
    readonly isRender?: boolean;
  } = {},
): Promise<ChatPlan> {
  checkModel(engine, request.model);
  if (options.isRender && request.use_beam_search) throw noRenderedBeams();
  engine.checkAdmission(request.n ?? 1);
  checkConstraintSize(request.tools, 'list of tools');
  checkMultiplied(request, 1);
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
    reused ??
    fittingPrompt(
      engine,
      await encodePrompt(engine, promptText ?? '', request, textTokensMax(engine, lengths)),
      lengths,
      true,
    );
  checkNamedOnce(request);
  // A response that is continued has decided whether it is a tool call.
  const call = demanded ?? (reused ? undefined : ownCall(engine, request, tokens));
  const maxTokens = maxTokensWithin(engine, tokens.length, lengths.maxTokens);
  // The log probabilities of an echoed prompt are computed like those of the response.
  const echoed = request.echo ? (request.top_logprobs ?? 0) : undefined;
  const sampling = { ...request, prompt_logprobs: request.prompt_logprobs ?? echoed };
  checkSamplingOfServer(sampling, maxTokens);
  const plan = { tokens, maxTokens, call, promptText, thinks: thinks(engine, request, tokens) };
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

/** @throws {ApiError} 400 if the required tool is declared twice. */
function checkNamedOnce({ tools, tool_choice: choice }: ChatRequest): void {
  if (typeof choice !== 'object' || choice === null) return;
  const named = tools?.filter((tool) => tool.function?.name === choice.function?.name);
  if ((named?.length ?? 0) > 1) {
    throw badRequest('Forced tool choice must resolve to exactly one tool.');
  }
}

/** Random weights call no tool; a model may, depending on its prompt and the seeds. */
function ownCall(
  engine: EmbeddedEngine,
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

/** With a reasoning parser the model reasons, unless the request asks its template not to, or it has done so. */
function thinks(engine: EmbeddedEngine, request: ChatRequest, prompt: readonly number[]): boolean {
  if (engine.options.reasoningParser === undefined) return false;
  // vLLM looks at the prompt only when it streams.
  if (request.stream === true && isReasoningOver(engine.tokenizer, prompt)) return false;
  return (
    request.reasoning_effort !== 'none' &&
    request.chat_template_kwargs?.['enable_thinking'] !== false
  );
}
