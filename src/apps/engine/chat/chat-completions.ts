// POST /v1/chat/completions and /v1/chat/completions/batch
import {
  badRequest,
  type ChatRequest,
  contentFault,
  parsedCallsFault,
  readBatchChatRequest,
  readChatRequest,
} from '../../../core/api/index.ts';
import { checkMultiplied } from '../generation/request-bounds.ts';
import { keepStreamAlive, refusingInStream } from '../generation/response-writer.ts';
import { checkModel } from '../generation/server-checks.ts';
import { startGeneration } from '../generation/start-generation.ts';
import type { Exchange } from '../http/exchange.ts';
import { requestId } from '../http/request-id.ts';
import type { Handler } from '../http/server.ts';
import { mapInSlices } from '../runtime/breaks.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import { responseRole } from './chat-parts.ts';
import { planChat } from './chat-plan.ts';
import { chatPromptText, checkUntrusted } from './chat-prompt.ts';
import { ChatResponse } from './chat-response.ts';
import { ChatStream } from './chat-stream.ts';

export function chatCompletionsRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => respondToChat(engine, exchange, await exchange.json());
}

/** POST /v1/chat/completions/batch: one choice per conversation. */
export function chatBatchRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const batch = readBatchChatRequest(await exchange.json());
    checkModel(engine, batch.model);
    engine.checkAdmission(1);
    checkUntrusted(batch);
    const count = batch.conversations.length;
    const planned = await mapInSlices(batch.conversations, async (conversation, index) => {
      const request = batch.chatRequest(conversation);
      if (index === 0) checkMultiplied(request, count);
      refuseBadParts(request);
      refuseParsedCalls(engine, request);
      return { request, plan: await planChat(engine, request, { exchange }) };
    });
    const prompts = planned.map(({ plan }) => plan);
    const request = planned[0]?.request as ChatRequest;
    const id = requestId(exchange, 'chatcmpl', request.request_id);
    const promptTokens = prompts.reduce((total, { tokens }) => total + tokens.length, 0);
    const thinks = prompts[0]?.thinks === true;
    const head = {
      ...{ id, engine, exchange, request, promptTokens, thinks },
      ...{ isBatch: true, tellsLastAlone: batch.isStream },
      roles: planned.map((one) => responseRole(one.request)),
    };
    startGeneration({
      ...{ engine, exchange, id, request, isStream: false, prompts },
      writer: new ChatResponse(head, undefined),
    });
  };
}

/** Checks the content parts of a batch, which vLLM checks twice. @throws {ApiError} 400 if one is invalid. */
function refuseBadParts(request: ChatRequest): void {
  const fault = (request.messages ?? []).map(contentFault).find((one) => one !== undefined);
  if (fault !== undefined) throw badRequest(fault.report);
}

/**
 * vLLM parses the arguments of tool calls in place while it renders a batch, and then refuses the
 * parsed ones.
 *
 * @throws {ApiError} 400 if an assistant message has tool calls.
 */
function refuseParsedCalls(engine: EmbeddedEngine, request: ChatRequest): void {
  const fault = (request.messages ?? []).map(parsedCallsFault).find((one) => one !== undefined);
  if (fault === undefined) return;
  chatPromptText(engine, request);
  throw fault;
}

/** Handles a body from this route or from /invocations. */
export async function respondToChat(
  engine: EmbeddedEngine,
  exchange: Exchange,
  body: unknown,
): Promise<void> {
  const request = readChatRequest(body);
  const isStream = request.stream === true;
  await refusingInStream(exchange, isStream, async () => {
    const plan = await planChat(engine, request, { exchange });
    const id = requestId(exchange, 'chatcmpl', request.request_id);
    const promptTokens = plan.tokens.length;
    const promptText = request.return_prompt_text ? plan.promptText : null;
    const head = {
      ...{ id, engine, exchange, request, promptTokens, promptText },
      thinks: plan.thinks,
    };
    if (isStream) keepStreamAlive(engine, exchange);
    startGeneration({
      ...{ engine, exchange, id, request, isStream, prompts: [plan] },
      writer: isStream ? new ChatStream(head, plan.call) : new ChatResponse(head, plan.call),
    });
  });
}
