// POST …/render: returns the engine request for a request, without running it.
import {
  badRequest,
  type ChatRequest,
  chatRequestOf,
  checkChatRequest,
  promptsOf,
  readChatRequest,
  readCompletionRequest,
  readMessagesRequest,
} from '../../../../core/api/index.ts';
import { planChat } from '../../chat/chat-plan.ts';
import { chatPromptText } from '../../chat/chat-prompt.ts';
import { planCompletion } from '../../completions/completion-plan.ts';
import { checkModel } from '../../generation/server-checks.ts';
import type { Exchange } from '../../http/exchange.ts';
import { requestId } from '../../http/request-id.ts';
import type { Handler } from '../../http/server.ts';
import type { EmbeddedEngine } from '../../runtime/embedded-engine.ts';
import { structuralTagOfTools } from '../../structured/structural-tag.ts';
import { thinkingEnd, thinkingStart } from '../../text/thinking.ts';
import { samplingParams, structuredOutputs } from './sampling-params.ts';
import { tokenOffsets } from './token-offsets.ts';

export function renderChatRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const request = readChatRequest(await exchange.json());
    sendRendered(exchange, await renderChat(engine, exchange, request));
  };
}

export function renderMessagesRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const request = chatRequestOf(readMessagesRequest(await exchange.json()));
    checkChatRequest(request);
    sendRendered(exchange, await renderChat(engine, exchange, request));
  };
}

/** One object per prompt. */
export function renderCompletionRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const request = readCompletionRequest(await exchange.json());
    checkModel(engine, request.model);
    const isStream = request.stream === true;
    const id = requestId(exchange, 'cmpl', request.request_id);
    const plans = await planCompletion(engine, request, { isRender: true });
    const given = promptsOf(request.prompt ?? []);
    const rendered = plans.map(({ tokens, maxTokens }, index) => {
      checkRendered(tokens);
      const prompt = given[index];
      const { logprobs } = request;
      const isOne = given.length === 1;
      return {
        ...rendering(isOne ? id : `${id}-${index}`, tokens, { ...request, isStream }),
        token_offsets:
          request.return_token_offsets === true && typeof prompt === 'string'
            ? tokenOffsets(engine.tokenizer, prompt, tokens)
            : null,
        sampling_params: samplingParams(
          withEcho(request, logprobs),
          engine.options.samplingDefaults ?? {},
          {
            ...{ maxTokens, isStream, logprobs, structuredOutputs: structuredOutputs(request) },
          },
        ),
      };
    });
    sendRendered(exchange, rendered);
  };
}

async function renderChat(
  engine: EmbeddedEngine,
  exchange: Exchange,
  request: ChatRequest,
): Promise<object> {
  const { tokens, maxTokens } = await planChat(engine, request, { isRender: true });
  checkRendered(tokens);
  const isStream = request.stream === true;
  const id = requestId(exchange, 'chatcmpl', request.request_id);
  const logprobs = request.logprobs ? (request.top_logprobs ?? 0) : undefined;
  // Tool calls use special tokens, which the parser needs.
  const wantsCalls = (request.tools?.length ?? 0) > 0 && request.tool_choice !== 'none';
  const shown = wantsCalls ? { ...request, skip_special_tokens: false } : request;
  const hasParser = engine.options.reasoningParser !== undefined;
  const tag = structuralTagOfTools(request, engine.options.toolCallParser);
  return {
    ...rendering(id, tokens, { ...request, isStream }),
    token_offsets: request.return_token_offsets
      ? tokenOffsets(engine.tokenizer, chatPromptText(engine, request), tokens)
      : null,
    sampling_params: samplingParams(
      withEcho(shown, request.top_logprobs ?? 0),
      engine.options.samplingDefaults ?? {},
      {
        ...{ maxTokens, isStream, logprobs, structuredOutputs: structuredOutputs(request, tag) },
      },
    ),
    reasoning_ended: reasoningEnded(engine, request, tokens),
    reasoning_parser_kwargs: hasParser
      ? { chat_template_kwargs: request.chat_template_kwargs ?? {} }
      : null,
  };
}

/**
 * Returns whether the constraint applies from the first token of the response; null leaves it to
 * the engine.
 */
function reasoningEnded(
  engine: EmbeddedEngine,
  request: ChatRequest,
  tokens: readonly number[],
): boolean | null {
  if (request.include_reasoning === false) return true;
  if (engine.options.reasoningParser === undefined) return null;
  const marks = [thinkingStart, thinkingEnd, turnStart].map((mark) =>
    engine.tokenizer.tokenId(mark),
  );
  const last = tokens.findLast((token) => marks.includes(token));
  return last !== undefined && last === marks[1];
}

/** Start of a turn in the templates of Qwen3's family: reasoning before it belongs to another turn. */
const turnStart = '<|im_start|>';

/** The log probabilities of an echoed prompt are computed like those of the response. */
function withEcho<
  R extends {
    readonly echo?: boolean | null | undefined;
    readonly prompt_logprobs?: number | null | undefined;
  },
>(request: R, logprobs: number | null | undefined): R {
  if (request.echo !== true || logprobs == null) return request;
  return { ...request, prompt_logprobs: request.prompt_logprobs ?? logprobs };
}

/** Returns the fields that all renderings share, with placeholders for the others. */
export function rendering(
  id: string,
  tokens: readonly number[],
  request: {
    readonly model?: string | null | undefined;
    readonly isStream: boolean;
    readonly stream_options?: unknown;
    readonly cache_salt?: string | null | undefined;
    readonly priority?: number | null | undefined;
  },
): Record<string, unknown> {
  const options = request.stream_options as Readonly<Record<string, unknown>> | null | undefined;
  return {
    request_id: id,
    token_ids: tokens,
    token_offsets: null,
    features: null,
    content_parts: null,
    sampling_params: null,
    model: request.model ?? null,
    reasoning_ended: null,
    reasoning_parser_kwargs: null,
    return_token_ids: null,
    output_mode: 'tokens',
    stream: request.isStream,
    stream_options:
      request.isStream && options
        ? {
            include_usage: options['include_usage'] ?? true,
            continuous_usage_stats: options['continuous_usage_stats'] ?? false,
          }
        : null,
    cache_salt: request.cache_salt ?? null,
    priority: request.priority ?? 0,
    kv_transfer_params: null,
    ec_transfer_params: null,
  };
}

export function sendRendered(exchange: Exchange, rendered: object): void {
  exchange.sendJson(200, JSON.stringify(rendered));
}

/** @throws {ApiError} 400 if a prompt is empty. */
function checkRendered(tokens: readonly number[]): void {
  if (tokens.length === 0) throw badRequest('No token_ids rendered');
}
