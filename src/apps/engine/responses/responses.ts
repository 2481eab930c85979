// POST /v1/responses
import {
  badRequest,
  EngineRefusal,
  pydanticReport,
  type ResponsesRequest,
  readResponsesRequest,
} from '../../../core/api/index.ts';
import { randomHex } from '../base/random-hex.ts';
import { createdSeconds } from '../generation/response-writer.ts';
import { startGeneration } from '../generation/start-generation.ts';
import type { Handler } from '../http/server.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import { responseObject } from './response-object.ts';
import { alsoTo, clientOutput, type ResponseOutput } from './response-output.ts';
import { planResponse, type ResponsePlan } from './response-plan.ts';
import type { ResponseStore } from './response-store.ts';
import { ResponseStream } from './response-stream.ts';
import { StoredResponse } from './stored-response.ts';
import { WholeResponse } from './whole-response.ts';

/** @param store Undefined if responses are not stored. */
export function responsesRoute(engine: EmbeddedEngine, store: ResponseStore | undefined): Handler {
  return async (exchange) => {
    const given = readResponsesRequest(await exchange.json());
    const isStream = given.stream === true;
    const { request, plan, isRefused } = await planOrRefuse(engine, given, { store, isStream });
    const id = given.request_id ?? `resp_${randomHex(8)}`;
    if (!isStream) checkEchoable(given);
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
        writer: isStream ? new ResponseStream(head, plan.call) : new WholeResponse(head, plan.call),
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

/** In vLLM, a refusal by the engine ends a stream after its first events. */
async function planOrRefuse(
  engine: EmbeddedEngine,
  given: ResponsesRequest,
  { store, isStream }: { readonly store: ResponseStore | undefined; readonly isStream: boolean },
): Promise<ResponsePlan & { readonly isRefused: boolean }> {
  try {
    return { ...(await planResponse(engine, given, { store })), isRefused: false };
  } catch (error) {
    if (!isStream || !(error instanceof EngineRefusal)) throw error;
    return { ...(await planResponse(engine, given, { store, isRender: true })), isRefused: true };
  }
}

/**
 * @throws {ApiError} 400 for null in a field that vLLM copies into its response, where null is not
 * allowed.
 */
function checkEchoable(given: ResponsesRequest): void {
  const fields = [
    ['background', 'bool_type', 'Input should be a valid boolean'],
    ['truncation', 'literal_error', "Input should be 'auto' or 'disabled'"],
  ] as const;
  const issues = fields
    .filter(([name]) => given[name] === null)
    .map(([loc, type, msg]) => ({ type, loc, msg, input: null }));
  if (issues.length > 0) throw badRequest(pydanticReport('ResponsesResponse', issues));
}
