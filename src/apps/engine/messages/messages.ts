// POST /v1/messages and /v1/messages/count_tokens: Anthropic's API, implemented by the chat route.
import {
  ApiError,
  chatRequestOf,
  checkChatRequest,
  readCountTokensRequest,
  readMessagesRequest,
} from '../../../core/api/index.ts';
import { planChat } from '../chat/chat-plan.ts';
import { chatPrompt } from '../chat/chat-prompt.ts';
import { fittingPrompt } from '../generation/limits.ts';
import { checkModel } from '../generation/server-checks.ts';
import { startGeneration } from '../generation/start-generation.ts';
import type { Exchange } from '../http/exchange.ts';
import { requestId } from '../http/request-id.ts';
import type { Handler } from '../http/server.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import { MessageResponse } from './message-response.ts';
import { MessageStream } from './message-stream.ts';

export function messagesRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const given = readMessagesRequest(await exchange.json());
    await inAnthropicForm(exchange, async () => {
      const request = chatRequestOf(given);
      checkChatRequest(request);
      const plan = await planChat(engine, request);
      const id = requestId(exchange, 'chatcmpl', undefined);
      const promptTokens = plan.tokens.length;
      const head = { id, engine, exchange, request, promptTokens, thinks: plan.thinks };
      const isStream = request.stream === true;
      startGeneration({
        ...{ engine, exchange, id, request, isStream, prompts: [plan] },
        writer: isStream
          ? new MessageStream(head, plan.call)
          : new MessageResponse(head, plan.call),
      });
    });
  };
}

export function countTokensRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const given = readCountTokensRequest(await exchange.json());
    await inAnthropicForm(exchange, async () => {
      const request = chatRequestOf(given);
      checkModel(engine, request.model);
      const prompt = await chatPrompt(engine, request, engine.options.config.maxModelLen);
      const lengths = {
        maxTokens: null,
        maxTokensName: '',
        truncateTo: null,
        truncationSide: null,
      };
      const tokens = fittingPrompt(engine, prompt, lengths, true).length;
      const body = {
        input_tokens: tokens,
        context_management: { original_input_tokens: tokens },
      };
      exchange.sendJson(200, JSON.stringify(body));
    });
  };
}

/** Errors of the handler use Anthropic's error object; schema errors are reported before it. */
async function inAnthropicForm(exchange: Exchange, handle: () => Promise<void>): Promise<void> {
  try {
    await handle();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { type, message } = error;
    exchange.sendJson(
      error.httpStatus,
      JSON.stringify({ type: 'error', error: { type, message } }),
    );
  }
}
