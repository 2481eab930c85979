// POST /v1/chat/completions
import { readChatRequest } from '../../../core/protocol/index.ts';
import { ChatAnswer } from '../answers/chat-answer.ts';
import { ChatStream } from '../answers/chat-stream.ts';
import type { Engine } from '../engine.ts';
import { planChat } from '../generation/chat-plan.ts';
import { requestId } from '../generation/request-id.ts';
import { startGeneration } from '../generation/start.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Handler } from '../http/server.ts';

export function chatCompletionsRoute(engine: Engine): Handler {
  return async (exchange) => answerChat(engine, exchange, await exchange.json());
}

/** Answers a body that came by this route or by /invocations. */
export function answerChat(engine: Engine, exchange: Exchange, body: unknown): void {
  const request = readChatRequest(body);
  const plan = planChat(engine, request);
  const id = requestId(exchange, 'chatcmpl', request.request_id);
  const promptTokens = plan.tokens.length;
  const head = { id, engine, exchange, request, promptTokens, thinks: plan.thinks };
  const isStream = request.stream === true;
  startGeneration({
    ...{ engine, exchange, id, request, isStream, prompts: [plan] },
    answer: isStream ? new ChatStream(head, plan.call) : new ChatAnswer(head, plan.call),
  });
}
