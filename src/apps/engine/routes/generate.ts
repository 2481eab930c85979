// POST /inference/v1/generate and /inference/v1/abort_requests
import { ApiError, checkSampling, readGenerateRequest } from '../../../core/protocol/index.ts';
import { GenerateAnswer, GenerateStream } from '../answers/generate-answer.ts';
import type { Engine } from '../engine.ts';
import { checkModel } from '../generation/check-model.ts';
import { checkTopLogprobs, maxTokensOf } from '../generation/limits.ts';
import { requestId } from '../generation/request-id.ts';
import { startGeneration } from '../generation/start.ts';
import type { Handler } from '../http/server.ts';
import { constrainedText } from '../structured/constrained-text.ts';

export function generateRoute(engine: Engine): Handler {
  return async (exchange) => {
    const request = readGenerateRequest(await exchange.json());
    checkModel(engine, request.model);
    const tokens = request.token_ids ?? [];
    const sampling = request.sampling_params ?? {};
    const room = maxTokensOf(engine, tokens.length, undefined, false);
    const maxTokens = Math.min(sampling.max_tokens ?? room, room);
    checkTopLogprobs(sampling.logprobs);
    checkSampling(sampling, { maxTokens, vocabularySize: engine.vocabularySize });
    const text = constrainedText({ structured_outputs: sampling.structured_outputs });
    const script = text === undefined ? undefined : engine.tokenizer.encode(text);
    const id = requestId(exchange, 'generate-tokens', request.request_id);
    const head = { id, engine, exchange, request, promptTokens: tokens.length };
    const isStream = request.stream === true;
    startGeneration({
      ...{ engine, exchange, id, isStream, prompts: [{ tokens, maxTokens, script }] },
      request: { ...sampling, cache_salt: request.cache_salt, priority: request.priority },
      answer: isStream ? new GenerateStream(head) : new GenerateAnswer(head),
    });
  };
}

export function abortRequestsRoute(engine: Engine): Handler {
  return async (exchange) => {
    const ids = requestIds(await exchange.anyJson());
    exchange.send(200, '', '');
    engine.abortRequests(ids);
  };
}

/** @throws {ApiError} 400 if the body names none. */
function requestIds(body: unknown): readonly string[] {
  const ids = (body as { request_ids?: unknown } | null)?.request_ids;
  if (ids === undefined || ids === null) {
    throw new ApiError(400, 'Bad Request', "Missing 'request_ids' in request body");
  }
  return (Array.isArray(ids) ? ids : [ids]).map(String);
}
