// POST /v1/chat/completions
import {
  type ChatRequest,
  checkSampling,
  modelNotFound,
  readChatRequest,
  stopStrings,
} from '../../../core/protocol/index.ts';
import { ChatAnswer } from '../answers/chat-answer.ts';
import { ChatStream } from '../answers/chat-stream.ts';
import type { Engine } from '../engine.ts';
import { chatPrompt } from '../generation/chat-prompt.ts';
import { maxTokensOf } from '../generation/limits.ts';
import { requestId } from '../generation/request-id.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Handler } from '../http/server.ts';

export function chatCompletionsRoute(engine: Engine): Handler {
  return async (exchange) => {
    const request = readChatRequest(await exchange.json());
    checkModel(engine, request.model);
    const prompt = chatPrompt(engine, request);
    const maxTokens = maxTokensOf(
      engine,
      prompt.length,
      request.max_completion_tokens ?? request.max_tokens,
      true,
    );
    checkSampling(request, { maxTokens, vocabularySize: engine.tokenizer.vocabularySize });
    generate(engine, exchange, request, prompt, maxTokens);
  };
}

/** @throws {ApiError} 404 if the server has no such model; no name means its own. */
export function checkModel(engine: Engine, model: string | null | undefined): void {
  if (model == null || model === '' || engine.servedModelNames.includes(model)) return;
  throw modelNotFound(model, engine.servedModelNames);
}

function generate(
  engine: Engine,
  exchange: Exchange,
  request: ChatRequest,
  prompt: readonly number[],
  maxTokens: number,
): void {
  const id = requestId(exchange, 'chatcmpl', request.request_id);
  const head = { id, engine, exchange, request, promptTokens: prompt.length };
  const answer = request.stream ? new ChatStream(head) : new ChatAnswer(head);
  const choices = request.n ?? 1;
  const sequences = Array.from({ length: choices }, (_, choice) =>
    engine.generate({
      id: choices === 1 ? id : `${choice}_${id}`,
      prompt,
      maxTokens,
      minTokens: request.min_tokens ?? 0,
      ignoreEos: request.ignore_eos ?? false,
      stops: stopStrings(request.stop),
      stopTokens: request.stop_token_ids ?? [],
      includeStop: request.include_stop_str_in_output ?? false,
      skipSpecialTokens: request.skip_special_tokens ?? true,
      priority: request.priority ?? 0,
      cacheSalt: request.cache_salt ?? undefined,
      choice,
      seed: request.seed ?? undefined,
      script: undefined,
      onDelta: (delta) => answer.onDelta(choice, delta),
    }),
  );
  answer.start(sequences);
  exchange.onDisconnect(() => {
    for (const sequence of sequences) engine.cancel(sequence);
  });
}
