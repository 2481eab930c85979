// POST /v1/chat/completions and /v1/chat/completions/batch
import {
  badRequest,
  type ChatRequest,
  contentFault,
  parsedCallsFault,
  readBatchChatRequest,
  readChatRequest,
} from '../../../core/api/index.ts';
import { refusingInStream } from '../answers/answer.ts';
import { ChatAnswer } from '../answers/chat-answer.ts';
import { answerRole } from '../answers/chat-parts.ts';
import { ChatStream } from '../answers/chat-stream.ts';
import type { Engine } from '../engine.ts';
import { planChat } from '../generation/chat-plan.ts';
import { chatPromptText, checkUntrusted } from '../generation/chat-prompt.ts';
import { checkModel } from '../generation/check-model.ts';
import { requestId } from '../generation/request-id.ts';
import { startGeneration } from '../generation/start.ts';
import type { Exchange } from '../http/exchange.ts';
import { keepAlive } from '../http/keep-alive.ts';
import type { Handler } from '../http/server.ts';

export function chatCompletionsRoute(engine: Engine): Handler {
  return async (exchange) => answerChat(engine, exchange, await exchange.json());
}

/** POST /v1/chat/completions/batch: one choice per conversation. */
export function chatBatchRoute(engine: Engine): Handler {
  return async (exchange) => {
    const batch = readBatchChatRequest(await exchange.json());
    checkModel(engine, batch.model);
    engine.checkAdmission(1);
    checkUntrusted(batch);
    const planned = batch.conversations.map((conversation) => {
      const request = batch.chatRequest(conversation);
      refuseBadParts(request);
      refuseParsedCalls(engine, request);
      return { request, plan: planChat(engine, request, { exchange }) };
    });
    const prompts = planned.map(({ plan }) => plan);
    const request = planned[0]?.request as ChatRequest;
    const id = requestId(exchange, 'chatcmpl', request.request_id);
    const promptTokens = prompts.reduce((total, { tokens }) => total + tokens.length, 0);
    const thinks = prompts[0]?.thinks === true;
    const head = {
      ...{ id, engine, exchange, request, promptTokens, thinks },
      ...{ isBatch: true, tellsLastAlone: batch.isStream },
      roles: planned.map((one) => answerRole(one.request)),
    };
    startGeneration({
      ...{ engine, exchange, id, request, isStream: false, prompts },
      answer: new ChatAnswer(head, undefined),
    });
  };
}

/** Of a batch the parts are looked at twice. @throws {ApiError} 400 if one is none. */
function refuseBadParts(request: ChatRequest): void {
  const fault = (request.messages ?? []).map(contentFault).find((one) => one !== undefined);
  if (fault !== undefined) throw badRequest(fault.report);
}

/**
 * vLLM parses the arguments of calls in place while it renders a batch, and then refuses what it
 * made of them.
 *
 * @throws {ApiError} 400 if an assistant's message has calls.
 */
function refuseParsedCalls(engine: Engine, request: ChatRequest): void {
  const fault = (request.messages ?? []).map(parsedCallsFault).find((one) => one !== undefined);
  if (fault === undefined) return;
  chatPromptText(engine, request);
  throw fault;
}

/** Answers a body that came by this route or by /invocations. */
export function answerChat(engine: Engine, exchange: Exchange, body: unknown): void {
  const request = readChatRequest(body);
  const isStream = request.stream === true;
  refusingInStream(exchange, isStream, () => {
    const plan = planChat(engine, request, { exchange });
    const id = requestId(exchange, 'chatcmpl', request.request_id);
    const promptTokens = plan.tokens.length;
    const promptText = request.return_prompt_text ? plan.promptText : null;
    const head = {
      ...{ id, engine, exchange, request, promptTokens, promptText },
      thinks: plan.thinks,
    };
    if (isStream) keepAlive(engine, exchange);
    startGeneration({
      ...{ engine, exchange, id, request, isStream, prompts: [plan] },
      answer: isStream ? new ChatStream(head, plan.call) : new ChatAnswer(head, plan.call),
    });
  });
}
