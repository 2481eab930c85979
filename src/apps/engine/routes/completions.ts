// POST /v1/completions
import { badRequest, readCompletionRequest } from '../../../core/api/index.ts';
import { refusingInStream } from '../answers/answer.ts';
import { CompletionAnswer } from '../answers/completion-answer.ts';
import { CompletionStream } from '../answers/completion-stream.ts';
import type { Engine } from '../engine.ts';
import { checkModel } from '../generation/check-model.ts';
import { planCompletion } from '../generation/completion-plan.ts';
import { requestId } from '../generation/request-id.ts';
import { startGeneration } from '../generation/start.ts';
import type { Exchange } from '../http/exchange.ts';
import { keepAlive } from '../http/keep-alive.ts';
import type { Handler } from '../http/server.ts';

export function completionsRoute(engine: Engine): Handler {
  return async (exchange) => answerCompletion(engine, exchange, await exchange.json());
}

/** Answers a body that came by this route or by /invocations. */
export function answerCompletion(engine: Engine, exchange: Exchange, body: unknown): void {
  const request = readCompletionRequest(body);
  const isStream = request.stream === true;
  if (isStream && request.use_beam_search) {
    throw badRequest('Streaming is not currently supported with beam search');
  }
  checkModel(engine, request.model);
  engine.checkAdmission(request.n ?? 1);
  refusingInStream(exchange, isStream, () => {
    const prompts = planCompletion(engine, request, { exchange });
    const id = requestId(exchange, 'cmpl', request.request_id);
    const promptTokens = prompts.reduce((total, { tokens }) => total + tokens.length, 0);
    const head = { id, engine, exchange, request, promptTokens };
    if (isStream) keepAlive(engine, exchange);
    startGeneration({
      ...{ engine, exchange, id, prompts, request, isStream },
      answer: isStream ? new CompletionStream(head) : new CompletionAnswer(head),
    });
  });
}
