// POST /inference/v1/generate and /inference/v1/abort_requests
import {
  ApiError,
  badRequest,
  checkConstraint,
  checkSampledTokens,
  constraintOf,
  type GenerateRequest,
  inEngine,
  pythonType,
  readGenerateRequest,
} from '../../../core/protocol/index.ts';
import { refusingInStream } from '../answers/answer.ts';
import { GenerateAnswer, GenerateStream } from '../answers/generate-answer.ts';
import type { Engine } from '../engine.ts';
import { checkModel } from '../generation/check-model.ts';
import { checkLogprobs, checkTokenIds } from '../generation/limits.ts';
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
    const maxTokens = maxTokensWithin(engine, tokens.length, sampling.max_tokens);
    const isStream = request.stream === true;
    refusingInStream(exchange, isStream, () => {
      const script = inEngine(() => scriptOf(engine, request));
      const id = requestId(exchange, 'generate-tokens', request.request_id);
      const head = { id, engine, exchange, request, promptTokens: tokens.length };
      startGeneration({
        ...{ engine, exchange, id, isStream, prompts: [{ tokens, maxTokens, script }] },
        request: {
          ...sampling,
          model: request.model,
          cache_salt: request.cache_salt,
          priority: request.priority,
        },
        answer: isStream ? new GenerateStream(head) : new GenerateAnswer(head),
      });
    });
  };
}

/** @returns The tokens that the answer must be, if it must. @throws {ApiError} 400 as the engine. */
function scriptOf(engine: Engine, request: GenerateRequest): readonly number[] | undefined {
  const sampling = request.sampling_params ?? {};
  checkLogprobs(engine, sampling.logprobs, sampling);
  checkSampledTokens(sampling, engine.vocabularySize);
  checkConstraint(constraintOf({ structured_outputs: sampling.structured_outputs }));
  const text = constrainedText({ structured_outputs: sampling.structured_outputs });
  checkTokenIds(engine, request.token_ids ?? []);
  return text === undefined ? undefined : engine.tokenizer.encode(text);
}

/** @throws {ApiError} 400 if the prompt fills the context, in the engine's own words. */
function maxTokensWithin(
  engine: Engine,
  promptTokens: number,
  asked: number | null | undefined,
): number {
  if (asked != null && asked < 1) {
    throw badRequest(`max_tokens must be at least 1, got ${asked}.`, 'max_tokens', `${asked}`);
  }
  const { maxModelLen } = engine.options.config;
  if (promptTokens > maxModelLen) {
    throw badRequest(
      `The decoder prompt (length ${promptTokens}) is longer than the maximum model length of ${maxModelLen}. Make sure that \`max_model_len\` is no smaller than the number of text tokens.`,
    );
  }
  if (promptTokens === maxModelLen) {
    throw badRequest(
      `The decoder prompt (length ${promptTokens}) plus the number of requested output tokens (at least 1) is longer than the maximum model length of ${maxModelLen}. Make sure that \`max_model_len\` is no smaller than the number of text tokens (prompt + requested output tokens).`,
    );
  }
  const room = maxModelLen - promptTokens;
  return Math.min(asked ?? room, room);
}

export function abortRequestsRoute(engine: Engine): Handler {
  return async (exchange) => {
    const ids = requestIds(await exchange.ownJson());
    exchange.send(200, '', '');
    engine.abortRequests(ids);
  };
}

/** @throws {ApiError} 400 if the body names none. */
function requestIds(body: unknown): readonly string[] {
  const type = pythonType(body);
  if (type !== 'dict') {
    throw new ApiError(500, 'InternalServerError', `'${type}' object has no attribute 'get'`);
  }
  const ids = (body as { request_ids?: unknown }).request_ids;
  if (ids === undefined || ids === null) {
    throw new ApiError(400, 'Bad Request', "Missing 'request_ids' in request body");
  }
  return (Array.isArray(ids) ? ids : [ids]).map(String);
}
