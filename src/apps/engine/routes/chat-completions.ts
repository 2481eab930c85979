// POST /v1/chat/completions
import { checkSampling, readChatRequest } from '../../../core/protocol/index.ts';
import { ChatAnswer } from '../answers/chat-answer.ts';
import { ChatStream } from '../answers/chat-stream.ts';
import type { Engine } from '../engine.ts';
import { chatPrompt } from '../generation/chat-prompt.ts';
import { checkModel } from '../generation/check-model.ts';
import { checkTopLogprobs, maxTokensOf } from '../generation/limits.ts';
import { requestId } from '../generation/request-id.ts';
import { startGeneration } from '../generation/start.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Handler } from '../http/server.ts';
import { constrainedText } from '../structured/constrained-text.ts';
import { demandedCall } from '../structured/tool-call.ts';

export function chatCompletionsRoute(engine: Engine): Handler {
  return async (exchange) => answerChat(engine, exchange, await exchange.json());
}

/** Answers a body that came by this route or by /invocations. */
export function answerChat(engine: Engine, exchange: Exchange, body: unknown): void {
  const request = readChatRequest(body);
  checkModel(engine, request.model);
  engine.checkAdmission(request.n ?? 1);
  const call = demandedCall(request, {
    enableAutoToolChoice: engine.options.enableAutoToolChoice ?? false,
    toolCallParser: engine.options.toolCallParser,
  });
  const text = call?.text ?? constrainedText(request);
  const prompt = chatPrompt(engine, request);
  const maxTokens = maxTokensOf(
    engine,
    prompt.length,
    request.max_completion_tokens ?? request.max_tokens,
    true,
  );
  checkTopLogprobs(request.logprobs === true ? request.top_logprobs : null);
  checkSampling(request, { maxTokens, vocabularySize: engine.vocabularySize });
  const id = requestId(exchange, 'chatcmpl', request.request_id);
  const head = { id, engine, exchange, request, promptTokens: prompt.length };
  const isStream = request.stream === true;
  const script = text === undefined ? undefined : engine.tokenizer.encode(text);
  startGeneration({
    ...{ engine, exchange, id, request, isStream },
    prompts: [{ tokens: prompt, maxTokens, script }],
    answer: isStream ? new ChatStream(head, call) : new ChatAnswer(head, call),
  });
}
