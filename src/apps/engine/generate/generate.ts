// POST /inference/v1/generate and /inference/v1/abort_requests
import {
  ApiError,
  badRequest,
  checkVocabulary,
  type GenerateRequest,
  hasHugeInteger,
  inEngine,
  pythonType,
  readGenerateRequest,
} from '../../../core/api/index.ts';
import { admitToEngine } from '../generation/engine-admission.ts';
import { refusingInStream } from '../generation/response-writer.ts';
import { checkModel } from '../generation/server-checks.ts';
import { startGeneration } from '../generation/start-generation.ts';
import { requestId } from '../http/request-id.ts';
import type { Handler } from '../http/server.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import { TokenResponse, TokenStream } from './token-response.ts';

export function generateRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const request = readGenerateRequest(await exchange.json());
    checkModel(engine, request.model);
    engine.checkAdmission(1);
    const tokens = request.token_ids ?? [];
    const sampling = request.sampling_params ?? {};
    checkServable(engine, request);
    const isStream = request.stream === true;
    await refusingInStream(exchange, isStream, () => {
      const script = admitToEngine(engine, {
        ...{ request: sampling, logprobs: sampling.logprobs, prompt: tokens, exchange },
        more: {
          first: () => checkTrace(engine, sampling),
          last: () => checkScores(sampling),
        },
      });
      const id = requestId(exchange, 'generate-tokens', request.request_id);
      const head = { id, engine, exchange, request, promptTokens: tokens.length };
      const maxTokens = inEngine(() => maxTokensOf(engine, tokens.length, sampling));
      startGeneration({
        ...{ engine, exchange, id, isStream, prompts: [{ tokens, maxTokens, script }] },
        request: {
          ...sampling,
          model: request.model,
          cache_salt: request.cache_salt,
          priority: request.priority,
        },
        writer: isStream ? new TokenStream(head) : new TokenResponse(head),
      });
    });
  };
}

type Sampling = NonNullable<GenerateRequest['sampling_params']>;

/** Makes the server's checks before it responds. @throws {ApiError} 400 */
function checkServable(engine: EmbeddedEngine, request: GenerateRequest): void {
  const sampling = request.sampling_params ?? {};
  const { maxNumSeqs } = engine.options.config;
  const choices = sampling.n ?? 1;
  if (choices > maxNumSeqs) {
    throw badRequest(
      `sampling_params.n must be at most the server's max_num_seqs (${maxNumSeqs}), got ${choices}.`,
    );
  }
  if (request.stream && sampling.prompt_logprob_token_ids != null) {
    throw badRequest('prompt_logprob_token_ids are not available when stream=true.');
  }
  if (hasHugeInteger([sampling, request.kv_transfer_params, request.ec_transfer_params])) {
    throw badRequest("can't serialize ints < -2**63 or > 2**64 - 1");
  }
  if ((request.features?.end ?? 0) > 0 || request.content_parts?.some(isMedia)) {
    throw badRequest(`${engine.modelName} is not a multimodal model`);
  }
}

function isMedia({ type }: Readonly<Record<string, unknown>>): boolean {
  return type === 'image_url' || type === 'audio_url' || type === 'video_url';
}

/**
 * Checks a request to generate given tokens, for which this server is not configured. vLLM detects
 * contradictions too late to report them.
 *
 * @throws {ApiError} 500 without a message
 */
function checkTrace(engine: EmbeddedEngine, sampling: Sampling): void {
  const { trace_decode_token_ids: trace } = sampling;
  if (trace == null) return;
  const isContradicted =
    trace.length === 0 ||
    (sampling.n ?? 1) !== 1 ||
    trace.some((token) => token < 0) ||
    sampling.prompt_logprobs != null ||
    sampling.prompt_logprob_token_ids != null ||
    sampling.structured_outputs != null ||
    sampling.repetition_detection != null ||
    sampling.thinking_token_budget != null ||
    (sampling.bad_words?.length ?? 0) > 0;
  if (isContradicted) throw new ApiError(500, 'InternalServerError', '');
  checkVocabulary('trace_decode_token_ids', trace, engine.vocabularySize);
}

/** @throws {ApiError} 400 for features of engines that are not emulated. */
function checkScores({
  prompt_logprob_token_ids: rows,
  prompt_logprob_start: start,
  trace_decode_token_ids: trace,
}: Sampling): void {
  if (rows != null) {
    throw badRequest(
      'prompt_logprob_token_ids requires the V2 model runner (VLLM_USE_V2_MODEL_RUNNER=1).',
      'prompt_logprob_token_ids',
    );
  }
  if (start != null) {
    throw badRequest(
      'prompt_logprob_start requires prompt_logprob_token_ids.',
      'prompt_logprob_start',
      `${start}`,
    );
  }
  if (trace == null) return;
  throw badRequest(
    'trace_decode_token_ids is set but trace replay is not enabled. Start the engine with --enable-trace-replay to use it.',
  );
}

/** @throws {ApiError} 400 if the maximum number of tokens is below the minimum. */
function maxTokensOf(engine: EmbeddedEngine, promptTokens: number, sampling: Sampling): number {
  const room = engine.options.config.maxModelLen - promptTokens;
  const { max_tokens: asked, min_tokens: least = 0 } = sampling;
  if (asked === null && (least ?? 0) > room) {
    throw badRequest(`min_tokens must be less than or equal to max_tokens=${room}, got ${least}.`);
  }
  return Math.min(asked ?? room, room);
}

export function abortRequestsRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const ids = requestIds(await exchange.ownJson());
    exchange.send(200, '', '');
    engine.abortRequests(ids);
  };
}

/** @throws {ApiError} 400 if the body has no ids. */
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
