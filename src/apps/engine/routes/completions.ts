// POST /v1/completions
import {
  checkSampling,
  type Prompt,
  promptsOf,
  readCompletionRequest,
} from '../../../core/protocol/index.ts';
import { CompletionAnswer } from '../answers/completion-answer.ts';
import { CompletionStream } from '../answers/completion-stream.ts';
import type { Engine } from '../engine.ts';
import { checkModel } from '../generation/check-model.ts';
import { checkPromptText, checkTopLogprobs, maxTokensOf } from '../generation/limits.ts';
import { requestId } from '../generation/request-id.ts';
import { startGeneration } from '../generation/start.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Handler } from '../http/server.ts';
import { constrainedText } from '../structured/constrained-text.ts';

/** vLLM's default of `max_tokens` here; chat has none. */
const maxTokensDefault = 16;

export function completionsRoute(engine: Engine): Handler {
  return async (exchange) => answerCompletion(engine, exchange, await exchange.json());
}

/** Answers a body that came by this route or by /invocations. */
export function answerCompletion(engine: Engine, exchange: Exchange, body: unknown): void {
  const request = readCompletionRequest(body);
  checkModel(engine, request.model);
  const given = promptsOf(request.prompt ?? []);
  engine.checkAdmission(given.length * (request.n ?? 1));
  checkTopLogprobs(request.logprobs);
  const text = constrainedText(request);
  const script = text === undefined ? undefined : engine.tokenizer.encode(text);
  // With `echo` nothing need be generated; the engine computes one token all the same.
  const asked = request.max_tokens ?? maxTokensDefault;
  const wanted = asked === 0 && request.echo ? 1 : asked;
  const prompts = given.map((prompt) => {
    const tokens = tokensOf(engine, prompt, request.add_special_tokens !== false);
    const maxTokens = maxTokensOf(engine, tokens.length, wanted, typeof prompt === 'string');
    checkSampling(request, { maxTokens, vocabularySize: engine.vocabularySize });
    return { tokens, maxTokens, script };
  });
  const id = requestId(exchange, 'cmpl', request.request_id);
  const promptTokens = prompts.reduce((total, { tokens }) => total + tokens.length, 0);
  const head = { id, engine, exchange, request, promptTokens };
  const isStream = request.stream === true;
  startGeneration({
    ...{ engine, exchange, id, prompts, request, isStream },
    answer: isStream ? new CompletionStream(head) : new CompletionAnswer(head),
  });
}

function tokensOf(engine: Engine, prompt: Prompt, addSpecialTokens: boolean): readonly number[] {
  if (typeof prompt !== 'string') return prompt;
  checkPromptText(engine, prompt);
  return engine.tokenizer.encode(prompt, { addSpecialTokens });
}
