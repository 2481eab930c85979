// POST /v1/completions
import { badRequest, readCompletionRequest } from '../../../core/api/index.ts';
import { keepStreamAlive, refusingInStream } from '../generation/response-writer.ts';
import { checkModel } from '../generation/server-checks.ts';
import { startGeneration } from '../generation/start-generation.ts';
import type { Exchange } from '../http/exchange.ts';
import { requestId } from '../http/request-id.ts';
import type { Handler } from '../http/server.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import { planCompletion } from './completion-plan.ts';
import { CompletionResponse } from './completion-response.ts';
import { CompletionStream } from './completion-stream.ts';

export function completionsRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => respondToCompletion(engine, exchange, await exchange.json());
}

/** Handles a body from this route or from /invocations. */
export async function respondToCompletion(
  engine: EmbeddedEngine,
  exchange: Exchange,
  body: unknown,
): Promise<void> {
  const request = readCompletionRequest(body);
  const isStream = request.stream === true;
  if (isStream && request.use_beam_search) {
    throw badRequest('Streaming is not currently supported with beam search');
  }
  checkModel(engine, request.model);
  engine.checkAdmission(request.n ?? 1);
  await refusingInStream(exchange, isStream, async () => {
    const prompts = await planCompletion(engine, request, { exchange });
    const id = requestId(exchange, 'cmpl', request.request_id);
    const promptTokens = prompts.reduce((total, { tokens }) => total + tokens.length, 0);
    const head = { id, engine, exchange, request, promptTokens };
    if (isStream) keepStreamAlive(engine, exchange);
    startGeneration({
      ...{ engine, exchange, id, prompts, request, isStream },
      writer: isStream ? new CompletionStream(head) : new CompletionResponse(head),
    });
  });
}
