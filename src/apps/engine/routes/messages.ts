// POST /v1/messages and /v1/messages/count_tokens: Anthropic's API over the chat route's means.
import {
  ApiError,
  chatRequestOf,
  checkChatRequest,
  readCountTokensRequest,
  readMessagesRequest,
} from '../../../core/api/index.ts';
import { MessageAnswer } from '../answers/message-answer.ts';
import { MessageStream } from '../answers/message-stream.ts';
import type { Engine } from '../engine.ts';
import { planChat } from '../generation/chat-plan.ts';
import { chatPrompt } from '../generation/chat-prompt.ts';
import { checkModel } from '../generation/check-model.ts';
import { fittingPrompt } from '../generation/limits.ts';
import { requestId } from '../generation/request-id.ts';
import { startGeneration } from '../generation/start.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Handler } from '../http/server.ts';

export function messagesRoute(engine: Engine): Handler {
  return async (exchange) => {
    const given = readMessagesRequest(await exchange.json());
    inAnthropicForm(exchange, () => {
      const request = chatRequestOf(given);
      checkChatRequest(request);
      const plan = planChat(engine, request);
      const id = requestId(exchange, 'chatcmpl', undefined);
      const promptTokens = plan.tokens.length;
      const head = { id, engine, exchange, request, promptTokens, thinks: plan.thinks };
      const isStream = request.stream === true;
      startGeneration({
        ...{ engine, exchange, id, request, isStream, prompts: [plan] },
        answer: isStream ? new MessageStream(head, plan.call) : new MessageAnswer(head, plan.call),
      });
    });
  };
}

export function countTokensRoute(engine: Engine): Handler {
  return async (exchange) => {
    const given = readCountTokensRequest(await exchange.json());
    inAnthropicForm(exchange, () => {
      const request = chatRequestOf(given);
      checkModel(engine, request.model);
      const prompt = chatPrompt(engine, request);
      const lengths = {
        maxTokens: null,
        maxTokensName: '',
        truncateTo: null,
        truncationSide: null,
      };
      const tokens = fittingPrompt(engine, prompt, lengths, true).length;
      const answer = {
        input_tokens: tokens,
        context_management: { original_input_tokens: tokens },
      };
      exchange.sendJson(200, JSON.stringify(answer));
    });
  };
}

/** What the handler refuses comes in Anthropic's error object; schema errors never get here. */
function inAnthropicForm(exchange: Exchange, handle: () => void): void {
  try {
    handle();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { type, message } = error;
    exchange.sendJson(
      error.httpStatus,
      JSON.stringify({ type: 'error', error: { type, message } }),
    );
  }
}
