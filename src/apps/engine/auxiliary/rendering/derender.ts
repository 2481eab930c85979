// POST …/derender: turns tokens that another server generated into a response for the client.
import {
  badRequest,
  type DerenderChatRequest,
  type GenerateResponse,
  readDerenderChat,
  readDerenderCompletion,
  usageObject,
} from '../../../../core/api/index.ts';
import { randomHex } from '../../base/random-hex.ts';
import { createdSeconds } from '../../generation/response-writer.ts';
import { checkModel } from '../../generation/server-checks.ts';
import type { Handler } from '../../http/server.ts';
import type { EmbeddedEngine } from '../../runtime/embedded-engine.ts';
import { ReasoningSplitter, thinkingEnd } from '../../text/thinking.ts';
import { derenderChatChunk, derenderCompletionChunk } from './derender-stream.ts';
import { readToolCalls } from './read-tool-calls.ts';
import { spelledCompletionLogprobs, spelledLogprobs } from './spelled-logprobs.ts';

export function derenderChatRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const form = readDerenderChat(await exchange.json());
    if ('streamed' in form) {
      exchange.sendJson(200, JSON.stringify(derenderChatChunk(engine, form.streamed)));
      return;
    }
    const request = form.whole;
    checkModel(engine, request.model);
    const { reasoningParser, toolCallParser } = engine.options;
    const hasParser = reasoningParser !== undefined || toolCallParser !== undefined;
    if (hasParser && request.chat_request == null) {
      throw badRequest(
        'chat_request is required when a tool or reasoning parser is configured because plain detokenization would leak raw parser markup into content.',
      );
    }
    const generated = request.generate_response as GenerateResponse;
    checkTokens([generated]);
    const promptTokens = request.prompt_tokens ?? 0;
    const body = {
      id: generated.request_id ?? randomHex(8),
      object: 'chat.completion',
      created: createdSeconds(),
      model: request.model || engine.modelName,
      choices: (generated.choices ?? []).map((choice) => chatChoice(engine, request, choice)),
      service_tier: null,
      system_fingerprint: null,
      usage: usageOf(promptTokens, [generated]),
      prompt_logprobs: generated.prompt_logprobs ?? null,
      prompt_token_ids: null,
      prompt_text: null,
      kv_transfer_params: generated.kv_transfer_params ?? null,
      ec_transfer_params: null,
      metrics: generated.metrics ?? null,
    };
    exchange.sendJson(200, JSON.stringify(body));
  };
}

export function derenderCompletionRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const form = readDerenderCompletion(await exchange.json());
    if ('streamed' in form) {
      exchange.sendJson(200, JSON.stringify(derenderCompletionChunk(engine, form.streamed)));
      return;
    }
    const request = form.whole;
    checkModel(engine, request.model);
    const generated = request.generate_responses ?? [];
    if (generated.length === 0) throw badRequest('generate_responses must not be empty');
    checkTokens(generated);
    const promptTokens = (request.prompt_tokens ?? []).reduce((total, count) => total + count, 0);
    const choices = generated.flatMap(({ choices: own }) => own ?? []);
    const body = {
      id: generated[0]?.request_id ?? randomHex(8),
      object: 'text_completion',
      created: createdSeconds(),
      model: request.model || engine.modelName,
      choices: choices.map((choice, index) => completionChoice(engine, choice, index)),
      service_tier: null,
      system_fingerprint: null,
      usage: usageOf(promptTokens, generated),
      kv_transfer_params: generated[0]?.kv_transfer_params ?? null,
      ec_transfer_params: null,
      metrics: generated.length === 1 ? (generated[0]?.metrics ?? null) : null,
    };
    exchange.sendJson(200, JSON.stringify(body));
  };
}

/** @throws {ApiError} 400 if there are no tokens to decode. */
function checkTokens(generated: readonly GenerateResponse[]): void {
  const choices = generated.flatMap(({ choices: own }) => own ?? []);
  const empty = choices.find(({ token_ids: tokens }) => (tokens?.length ?? 0) === 0);
  if (empty) throw badRequest(`choice ${empty.index} has empty or null token_ids`);
}

type Choice = NonNullable<GenerateResponse['choices']>[number];

function chatChoice(engine: EmbeddedEngine, request: DerenderChatRequest, choice: Choice): object {
  const { chat_request: chat } = request;
  const tokens = choice.token_ids ?? [];
  const text = engine.tokenizer.decode(tokens, {
    skipSpecialTokens: chat?.skip_special_tokens !== false,
  });
  const thinks = engine.options.reasoningParser !== undefined;
  const ends = tokens.includes(engine.tokenizer.tokenId(thinkingEnd) ?? -1);
  const { reasoning, content } = new ReasoningSplitter(thinks || ends).push(text, true);
  const wantsCalls = (chat?.tools?.length ?? 0) > 0 && chat?.tool_choice !== 'none';
  const found = wantsCalls && engine.options.toolCallParser ? readToolCalls(content) : undefined;
  const calls = found?.calls ?? [];
  const isDemanded = chat?.tool_choice != null && chat.tool_choice !== 'auto';
  return {
    index: choice.index,
    message: {
      role: 'assistant',
      content:
        calls.length > 0
          ? found?.content || (isDemanded ? '' : null)
          : thinks && !content
            ? null
            : content,
      refusal: null,
      annotations: null,
      audio: null,
      function_call: null,
      ...(calls.length > 0 && {
        tool_calls: calls.map(({ name, argumentsJson }) => ({
          id: randomHex(8),
          type: 'function',
          function: { name, arguments: argumentsJson },
        })),
      }),
      reasoning: reasoning || null,
    },
    logprobs: spelledLogprobs(engine.tokenizer, choice.logprobs),
    finish_reason: finishOf(choice),
    stop_reason: choice.stop_reason ?? null,
    token_ids: chat?.return_token_ids ? tokens : null,
    routed_experts: null,
  };
}

function completionChoice(engine: EmbeddedEngine, choice: Choice, index: number): object {
  return {
    index,
    text: engine.tokenizer.decode(choice.token_ids ?? [], { skipSpecialTokens: true }),
    logprobs: spelledCompletionLogprobs(engine.tokenizer, choice.logprobs),
    finish_reason: finishOf(choice),
    stop_reason: choice.stop_reason ?? null,
    token_ids: null,
    prompt_logprobs: null,
    prompt_token_ids: null,
    routed_experts: null,
  };
}

/** A field with a default that may be null. */
function finishOf({ finish_reason: reason }: Choice): string | null {
  return reason === undefined ? 'stop' : reason;
}

function usageOf(promptTokens: number, generated: readonly GenerateResponse[]): object {
  const choices = generated.flatMap(({ choices: own }) => own ?? []);
  const completionTokens = choices.reduce(
    (total, { token_ids: tokens }) => total + (tokens?.length ?? 0),
    0,
  );
  return usageObject({
    promptTokens,
    completionTokens,
    cachedTokens: undefined,
    createdCacheTokens: undefined,
  });
}
