// POST …/derender with `stream: true`: turns one chunk of tokens into one chunk of a response. The
// server keeps nothing between chunks: the client carries the state.
import {
  badRequest,
  type DerenderChatStreamRequest,
  type DerenderChunk,
  type DerenderCompletionStreamRequest,
  type DerenderState,
  firstDerenderState,
  usageObject,
} from '../../../../core/api/index.ts';
import { promptWindow, readTokens } from '../../../../core/tokenizer/index.ts';
import { randomHex } from '../../base/random-hex.ts';
import { createdSeconds } from '../../generation/response-writer.ts';
import { checkModel } from '../../generation/server-checks.ts';
import type { EmbeddedEngine } from '../../runtime/embedded-engine.ts';
import { parsedDelta } from './parsed-delta.ts';
import { spelledCompletionLogprobs, spelledLogprobs } from './spelled-logprobs.ts';

/** Number of tokens that vLLM carries for the log probabilities of a split character. */
const logprobContextTokens = 4;

/** @returns The response: the chunk and the state for the next request. */
export function derenderChatChunk(
  engine: EmbeddedEngine,
  request: DerenderChatStreamRequest,
): object {
  checkModel(engine, request.model);
  const { reasoningParser, toolCallParser } = engine.options;
  const isParsed = reasoningParser !== undefined || toolCallParser !== undefined;
  if (isParsed) checkParsable(request);
  const chunk = request.generate_chunk as DerenderChunk;
  const choices = chunk.choices ?? [];
  if (choices.length > 1) {
    throw badRequest(
      `derender_chat_stream expects at most one choice per chunk (got ${choices.length}).`,
    );
  }
  checkLengths(engine, request);
  const { choice, state } = isParsed ? parsedChoice(engine, request) : plainChoice(engine, request);
  return {
    chunk: {
      ...chunkHead(engine, request, 'chat.completion.chunk'),
      choices: choice === undefined ? [] : [choice],
      usage: usageOf(request),
      system_fingerprint: null,
      prompt_token_ids: null,
      prompt_text: null,
      metrics: chunk.metrics ?? null,
    },
    stream_state: state,
  };
}

/** @returns Like `derenderChatChunk`. */
export function derenderCompletionChunk(
  engine: EmbeddedEngine,
  request: DerenderCompletionStreamRequest,
): object {
  checkModel(engine, request.model);
  const { maxModelLen } = engine.options.config;
  const promptTokens = request.prompt_token_ids?.length ?? 0;
  if (promptTokens > maxModelLen) {
    throw badRequest(
      `prompt_token_ids length (${promptTokens}) exceeds max_model_len (${maxModelLen}).`,
    );
  }
  const chunk = request.generate_chunk as DerenderChunk;
  const [choice, second] = chunk.choices ?? [];
  if (second) throw badRequest('derender_completion_stream expects at most one choice per chunk');
  const skips = request.completion_request?.skip_special_tokens;
  const before = stateOf(engine, request, skips !== false);
  const ids = choice?.token_ids ?? [];
  const { text, state } = decoded(engine, before, { ids, skipSpecialTokens: skips !== false });
  const written = choice && {
    index: choice.index,
    text,
    logprobs: spelledCompletionLogprobs(engine.tokenizer, choice.logprobs, {
      context: before.logprob_context_token_ids,
      offset: before.logprob_text_offset,
    }),
    finish_reason: choice.finish_reason ?? null,
    stop_reason: choice.stop_reason ?? null,
    prompt_token_ids: null,
    token_ids: null,
  };
  return {
    chunk: {
      ...chunkHead(engine, request, 'text_completion'),
      choices: written ? [written] : [],
      usage: usageOf(request),
      system_fingerprint: null,
      metrics: chunk.metrics ?? null,
    },
    stream_state: {
      ...state,
      logprob_text_offset: before.logprob_text_offset + Array.from(text).length,
    },
  };
}

type StreamRequest = DerenderChatStreamRequest | DerenderCompletionStreamRequest;

interface ChatStep {
  readonly choice: object | undefined;
  readonly state: DerenderState;
}

/** Without a parser: decodes the text with the window of tokens in the state. */
function plainChoice(engine: EmbeddedEngine, request: DerenderChatStreamRequest): ChatStep {
  const { chat_request: chat } = request;
  const skipSpecialTokens = chat?.skip_special_tokens !== false;
  const before = stateOf(engine, request, skipSpecialTokens);
  const choice = request.generate_chunk?.choices?.[0];
  if (choice === undefined) return { choice, state: before };
  const ids = choice.token_ids ?? [];
  const { text, state } = decoded(engine, before, { ids, skipSpecialTokens });
  return {
    choice: {
      index: choice.index,
      delta: {
        role: before.role_sent ? null : 'assistant',
        content: text || null,
        reasoning: null,
      },
      logprobs: spelledLogprobs(
        engine.tokenizer,
        choice.logprobs,
        before.logprob_context_token_ids,
      ),
      finish_reason: choice.finish_reason ?? null,
      stop_reason: choice.stop_reason ?? null,
      token_ids: chat?.return_token_ids ? ids : null,
    },
    state: { ...state, role_sent: true },
  };
}

/** With a parser: parses all tokens so far again and returns the additions of the new ones. */
function parsedChoice(engine: EmbeddedEngine, request: DerenderChatStreamRequest): ChatStep {
  const { chat_request: chat } = request;
  const before = request.stream_state ?? firstDerenderState;
  const choice = request.generate_chunk?.choices?.[0];
  if (choice === undefined) return { choice, state: before };
  const ids = choice.token_ids ?? [];
  const isEnd = choice.finish_reason != null;
  const callIds = [...before.last_tool_call_ids];
  const { content, reasoning, calls } = parsedDelta(engine, {
    chat: chat ?? undefined,
    prompt: request.prompt_token_ids ?? [],
    before: chunksOf(before),
    ids,
    isEnd,
    callId: (index) => {
      callIds[index] ??= `chatcmpl-tool-${randomHex(8)}`;
      return callIds[index];
    },
  });
  const toolsStreamed = before.tools_streamed || calls.length > 0;
  const isNamed = typeof chat?.tool_choice === 'object' && chat.tool_choice !== null;
  const shown =
    chat?.parallel_tool_calls === false ? calls.filter((one) => one.index === 0) : calls;
  return {
    choice: {
      index: choice.index,
      delta: {
        role: before.role_sent ? null : 'assistant',
        content: content || null,
        reasoning: reasoning || null,
        ...(shown.length > 0 && {
          tool_calls: shown.map((call) => ({
            id: call.id ?? null,
            type: call.type ?? null,
            index: call.index,
            function: {
              name: call.function.name ?? null,
              arguments: call.function.arguments ?? null,
            },
          })),
        }),
      },
      logprobs: null,
      finish_reason:
        isEnd && toolsStreamed && !isNamed ? 'tool_calls' : (choice.finish_reason ?? null),
      stop_reason: choice.stop_reason ?? null,
      token_ids: chat?.return_token_ids && chat.include_reasoning !== false ? ids : null,
    },
    state: {
      ...before,
      role_sent: true,
      output_token_ids: [...before.output_token_ids, ...ids],
      output_chunk_lens:
        ids.length > 0 ? [...before.output_chunk_lens, ids.length] : before.output_chunk_lens,
      tools_streamed: toolsStreamed,
      last_tool_call_ids: callIds,
    },
  };
}

/** Returns the tokens of the previous chunks, chunk by chunk. */
function chunksOf(state: DerenderState): (readonly number[])[] {
  let start = 0;
  return state.output_chunk_lens.map((length) => {
    start += length;
    return state.output_token_ids.slice(start - length, start);
  });
}

/** Returns the state in the request, or one that starts at the end of the prompt. */
function stateOf(
  engine: EmbeddedEngine,
  request: StreamRequest,
  skipSpecialTokens: boolean,
): DerenderState {
  if (request.stream_state != null) return request.stream_state;
  const prompt = request.prompt_token_ids ?? request.generate_chunk?.prompt_token_ids ?? [];
  const { tokens, prefixOffset, readOffset } = promptWindow(
    engine.tokenizer,
    prompt,
    skipSpecialTokens,
  );
  return {
    ...firstDerenderState,
    prev_tokens: tokens,
    prefix_offset: prefixOffset,
    read_offset: readOffset,
  };
}

function decoded(
  engine: EmbeddedEngine,
  state: DerenderState,
  delta: { readonly ids: readonly number[]; readonly skipSpecialTokens: boolean },
): { readonly text: string; readonly state: DerenderState } {
  const { text, window } = readTokens(
    engine.tokenizer,
    {
      tokens: state.prev_tokens,
      prefixOffset: state.prefix_offset,
      readOffset: state.read_offset,
    },
    delta,
  );
  const context = [...state.logprob_context_token_ids, ...delta.ids].slice(-logprobContextTokens);
  return {
    text,
    state: {
      ...state,
      prev_tokens: window.tokens,
      prefix_offset: window.prefixOffset,
      read_offset: window.readOffset,
      logprob_context_token_ids: context,
    },
  };
}

/** @throws {ApiError} 400 if a field that a parser needs is missing. */
function checkParsable(request: DerenderChatStreamRequest): void {
  if (request.chat_request === undefined) {
    throw badRequest(
      'chat_request is required when a tool or reasoning parser is configured because plain detokenization would leak raw parser markup into content.',
    );
  }
  if (request.prompt_token_ids == null) {
    throw badRequest(
      'prompt_token_ids is required when a tool or reasoning parser is configured. Without it parse_delta cannot tell whether the prompt left reasoning open (e.g. a chat template that pre-opens <think>) and would misclassify reasoning content as plain content.',
    );
  }
}

/** @throws {ApiError} 400 over the model's maximum length, because all tokens are parsed again. */
function checkLengths(engine: EmbeddedEngine, request: StreamRequest): void {
  const { maxModelLen } = engine.options.config;
  const prompt = request.prompt_token_ids?.length ?? 0;
  const prior = request.stream_state?.output_token_ids.length ?? 0;
  const delta = request.generate_chunk?.choices?.[0]?.token_ids?.length ?? 0;
  if (prompt + prior + delta <= maxModelLen) return;
  throw badRequest(
    `prompt_token_ids length (${prompt}) plus output_token_ids length (${prior}) plus delta (${delta}) exceeds max_model_len (${maxModelLen}).`,
  );
}

function chunkHead(engine: EmbeddedEngine, request: StreamRequest, object: string): object {
  return {
    id: request.generate_chunk?.request_id ?? randomHex(8),
    object,
    created: createdSeconds(),
    model: request.model || engine.modelName,
  };
}

function usageOf({ generate_chunk: chunk, prompt_tokens: given }: StreamRequest): object | null {
  const usage = chunk?.usage;
  if (usage == null) return null;
  return usageObject({
    promptTokens: given ?? usage.prompt_tokens ?? 0,
    completionTokens: usage.completion_tokens ?? 0,
    cachedTokens: undefined,
    createdCacheTokens: undefined,
  });
}
