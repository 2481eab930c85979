// POST /v1/responses and /v1/responses/render
import {
  ApiError,
  badRequest,
  type ChatMessage,
  chatRequestOfResponses,
  EngineRefusal,
  pydanticReport,
  type ResponsesRequest,
  readResponsesRequest,
} from '../../../core/api/index.ts';
import { createdSeconds } from '../answers/answer.ts';
import { ResponseAnswer } from '../answers/response-answer.ts';
import { alsoTo, clientOutput, type ResponseOutput } from '../answers/response-output.ts';
import { responseObject } from '../answers/response-parts.ts';
import { ResponseStream } from '../answers/response-stream.ts';
import type { Engine } from '../engine.ts';
import { type ChatPlan, planChat } from '../generation/chat-plan.ts';
import { checkUntrustedKwargs } from '../generation/chat-prompt.ts';
import { checkModel } from '../generation/check-model.ts';
import { randomHex } from '../generation/request-id.ts';
import { extraArgs, samplingParams, structuredOutputs } from '../generation/sampling-params.ts';
import { startGeneration } from '../generation/start.ts';
import type { Handler } from '../http/server.ts';
import type { ResponseStore } from '../responses/response-store.ts';
import { StoredResponse } from '../responses/stored-response.ts';
import { rendering, sendRendered } from './render.ts';
import { responseNotFound } from './stored-responses.ts';

/** @param store Undefined if responses are not kept. */
export function responsesRoute(engine: Engine, store: ResponseStore | undefined): Handler {
  return async (exchange) => {
    const given = readResponsesRequest(await exchange.json());
    const isStream = given.stream === true;
    const { request, plan, isRefused } = planOrRefuse(engine, given, { store, isStream });
    const id = given.request_id ?? `resp_${randomHex(8)}`;
    if (!isStream) checkAnswerable(given);
    const messages = request.messages ?? [];
    const facts = {
      ...{ id, engine, given, request },
      promptTokens: plan.tokens.length,
      maxTokens: plan.maxTokens,
      thinks: plan.thinks,
      createdSeconds: createdSeconds(),
    };
    if (isRefused) {
      const output = clientOutput(engine, exchange, isStream);
      new ResponseStream({ ...facts, output }, undefined).start([]);
      output.finish('', {});
      return;
    }
    const start = (output: ResponseOutput, background?: { readonly onFail: () => void }) => {
      const head = { ...facts, output };
      return startGeneration({
        ...{ engine, exchange, id, request, isStream, background, prompts: [plan] },
        answer: isStream
          ? new ResponseStream(head, plan.call)
          : new ResponseAnswer(head, plan.call),
      });
    };
    if (store && given.background) {
      const queued = responseObject(facts, 'queued', []);
      const stored = new StoredResponse(queued, messages, isStream ? [] : undefined);
      stored.abort = start(stored.output, { onFail: () => stored.end('failed') });
      store.put(id, stored);
      if (isStream) stored.streamTo(exchange, 0);
      else exchange.sendJson(200, JSON.stringify(queued));
      return;
    }
    const output = clientOutput(engine, exchange, isStream);
    const keeps = store !== undefined && given.store !== false;
    start(keeps ? alsoTo(output, (response) => store.keep(id, response, messages)) : output);
  };
}

/** What the engine refuses breaks a stream off behind its first events, in vLLM. */
function planOrRefuse(
  engine: Engine,
  given: ResponsesRequest,
  { store, isStream }: { readonly store: ResponseStore | undefined; readonly isStream: boolean },
): ReturnType<typeof planResponse> & { readonly isRefused: boolean } {
  try {
    return { ...planResponse(engine, given, { store }), isRefused: false };
  } catch (error) {
    if (!isStream || !(error instanceof EngineRefusal)) throw error;
    return { ...planResponse(engine, given, { store, isRender: true }), isRefused: true };
  }
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
    const { request, plan } = planResponse(engine, given, { isRender: true });
    const isStream = given.stream === true;
    const id = given.request_id ?? `resp_${randomHex(8)}`;
    const hasParser = engine.options.reasoningParser !== undefined;
    // Calls are written in special tokens, which the parser must see.
    const hasTools = (given.tools?.length ?? 0) > 0 && given.tool_choice !== 'none';
    const isParsed = hasTools && engine.options.toolCallParser !== undefined;
    const shown = isParsed ? { ...request, skip_special_tokens: false } : request;
    sendRendered(exchange, {
      ...rendering(id, plan.tokens, { ...given, isStream }),
      sampling_params: samplingParams(shown, engine.options.samplingDefaults ?? {}, {
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
  {
    store,
    isRender = false,
  }: { readonly store?: ResponseStore | undefined; readonly isRender?: boolean } = {},
): { readonly request: ReturnType<typeof chatRequestOfResponses>; readonly plan: ChatPlan } {
  checkModel(engine, given.model);
  if (given.background && !store) {
    throw invalidRequest(
      'This vLLM engine does not support `store=True` and therefore does not support the background mode. To enable these features, set the environment variable `VLLM_ENABLE_RESPONSES_API_STORE=1` when launching the vLLM server.',
      'background',
    );
  }
  const request = chatRequestOfResponses(given, historyOf(given.previous_response_id, store));
  checkUntrustedKwargs(given);
  return {
    request,
    plan: planChat(engine, request, { maxTokensName: 'max_output_tokens', isRender }),
  };
}

/** The conversation up to a response: instructions do not carry over, its texts are turns. */
function historyOf(id: string | null | undefined, store: ResponseStore | undefined): ChatMessage[] {
  if (id == null) return [];
  const previous = store?.get(id);
  if (previous === undefined) throw responseNotFound(id);
  const { output = [] } = previous.response as { readonly output?: readonly OutputItem[] };
  const said = output
    .filter(({ type }) => type === 'message')
    .flatMap(({ content }) => content ?? [])
    .map(({ text }) => ({ role: 'assistant', content: text }));
  return [...previous.messages.filter(({ role }) => role !== 'system'), ...said];
}

interface OutputItem {
  readonly type: string;
  readonly content?: readonly { readonly text: string }[];
}

function invalidRequest(message: string, param: string): ApiError {
  return new ApiError(400, 'invalid_request_error', message, { param });
}
