// POST /v1/responses, GET /v1/responses/{response_id} and POST …/cancel
import {
  ApiError,
  badRequest,
  chatRequestOfResponses,
  pydanticReport,
  type ResponsesRequest,
  readResponsesRequest,
  schemaError,
} from '../../../core/protocol/index.ts';
import { createdSeconds } from '../answers/answer.ts';
import { ResponseAnswer } from '../answers/response-answer.ts';
import { ResponseStream } from '../answers/response-stream.ts';
import type { Engine } from '../engine.ts';
import { type ChatPlan, planChat } from '../generation/chat-plan.ts';
import { checkUntrustedKwargs } from '../generation/chat-prompt.ts';
import { checkModel } from '../generation/check-model.ts';
import { randomHex } from '../generation/request-id.ts';
import { extraArgs, samplingParams, structuredOutputs } from '../generation/sampling-params.ts';
import { startGeneration } from '../generation/start.ts';
import type { Handler } from '../http/server.ts';
import { rendering, sendRendered } from './render.ts';

export function responsesRoute(engine: Engine): Handler {
  return async (exchange) => {
    const given = readResponsesRequest(await exchange.json());
    const { request, plan } = planResponse(engine, given);
    const id = given.request_id ?? `resp_${randomHex(8)}`;
    const isStream = given.stream === true;
    if (!isStream) checkAnswerable(given);
    const head = {
      ...{ id, engine, exchange, given, request },
      promptTokens: plan.tokens.length,
      maxTokens: plan.maxTokens,
      thinks: plan.thinks,
      createdSeconds: createdSeconds(),
    };
    startGeneration({
      ...{ engine, exchange, id, request, isStream, prompts: [plan] },
      answer: isStream ? new ResponseStream(head, plan.call) : new ResponseAnswer(head, plan.call),
    });
  };
}

/** @throws {ApiError} 400 for null in a field that vLLM copies into its answer, which has no null. */
function checkAnswerable(given: ResponsesRequest): void {
  const fields = [
    ['background', 'bool_type', 'Input should be a valid boolean'],
    ['truncation', 'literal_error', "Input should be 'auto' or 'disabled'"],
  ] as const;
  const issues = fields
    .filter(([name]) => given[name] === null)
    .map(([loc, type, msg]) => ({ type, loc, msg, input: null }));
  if (issues.length > 0) throw badRequest(pydanticReport('ResponsesResponse', issues));
}

/** Nothing is stored unless vLLM is told to by its environment; so no response is ever found. */
export const unknownResponseRoute: Handler = (exchange) => {
  const after = exchange.url.searchParams.get('starting_after');
  if (after !== null && !/^[+-]?\d+$/.test(after)) {
    const msg = 'Input should be a valid integer, unable to parse string as an integer';
    throw schemaError([{ type: 'int_parsing', loc: 'query.starting_after', msg, input: after }]);
  }
  const stream = exchange.url.searchParams.get('stream');
  if (stream !== null) checkBoolean(stream);
  throw notFound(exchange.parameters['response_id'] ?? '');
};

/** @throws {ApiError} 400 if a parameter of the query is no boolean in Pydantic's sense. */
function checkBoolean(input: string): void {
  if (/^(true|t|yes|y|on|1|false|f|no|n|off|0)$/i.test(input)) return;
  const msg = 'Input should be a valid boolean, unable to interpret input';
  throw schemaError([{ type: 'bool_parsing', loc: 'query.stream', msg, input }]);
}

export function renderResponsesRoute(engine: Engine): Handler {
  return async (exchange) => {
    const given = readResponsesRequest(await exchange.json());
    if (given.previous_response_id != null) {
      checkModel(engine, given.model);
      throw invalidRequest(
        'previous_response_id is not supported by the stateless render endpoint.',
        'previous_response_id',
      );
    }
    const { request, plan } = planResponse(engine, given, true);
    const isStream = given.stream === true;
    const id = given.request_id ?? `resp_${randomHex(8)}`;
    const hasParser = engine.options.reasoningParser !== undefined;
    sendRendered(exchange, {
      ...rendering(id, plan.tokens, { ...given, isStream }),
      sampling_params: samplingParams(request, engine.options.samplingDefaults ?? {}, {
        maxTokens: plan.maxTokens,
        isStream,
        logprobs: request.logprobs ? (given.top_logprobs ?? 0) : undefined,
        extraArgs: extraArgs(given) ?? {},
        structuredOutputs: structuredOutputs(request),
      }),
      kv_transfer_params: given.kv_transfer_params ?? null,
      reasoning_parser_kwargs: hasParser
        ? { chat_template_kwargs: request.chat_template_kwargs ?? {} }
        : null,
    });
  };
}

/** @throws {ApiError} In the order of vLLM's handler. */
function planResponse(
  engine: Engine,
  given: ResponsesRequest,
  isRender = false,
): { readonly request: ReturnType<typeof chatRequestOfResponses>; readonly plan: ChatPlan } {
  checkModel(engine, given.model);
  if (given.background) {
    throw invalidRequest(
      'This vLLM engine does not support `store=True` and therefore does not support the background mode. To enable these features, set the environment variable `VLLM_ENABLE_RESPONSES_API_STORE=1` when launching the vLLM server.',
      'background',
    );
  }
  if (given.previous_response_id != null) throw notFound(given.previous_response_id);
  checkUntrustedKwargs(given);
  const request = chatRequestOfResponses(given);
  return {
    request,
    plan: planChat(engine, request, { maxTokensName: 'max_output_tokens', isRender }),
  };
}

function notFound(id: string): ApiError {
  return new ApiError(404, 'invalid_request_error', `Response with id '${id}' not found.`, {
    param: 'response_id',
  });
}

function invalidRequest(message: string, param: string): ApiError {
  return new ApiError(400, 'invalid_request_error', message, { param });
}
