// A prompt of a completion request worked out: tokens, bounds, and what the answer must be.
import {
  type CompletionRequest,
  checkSampling,
  type Prompt,
} from '../../../core/protocol/index.ts';
import type { Engine } from '../engine.ts';
import { constrainedText } from '../structured/constrained-text.ts';
import { checkLogprobs, checkPromptText, checkTokenIds, maxTokensOf, truncated } from './limits.ts';
import type { PromptPlan } from './start.ts';

/** vLLM's default of `max_tokens` here; chat has none. */
const maxTokensDefault = 16;

/** @throws {ApiError} 400 if the prompt does not fit or a parameter is out of range. */
export function planCompletion(
  engine: Engine,
  request: CompletionRequest,
  prompt: Prompt,
): PromptPlan {
  checkLogprobs(engine, request.logprobs, request);
  const text = constrainedText(request);
  const script = text === undefined ? undefined : engine.tokenizer.encode(text);
  // With `echo` nothing need be generated; the engine computes one token all the same.
  const asked = request.max_tokens ?? maxTokensDefault;
  const wanted = asked === 0 && request.echo ? 1 : asked;
  const tokens = truncated(tokensOf(engine, prompt, request.add_special_tokens !== false), request);
  const maxTokens = maxTokensOf(engine, tokens.length, wanted, typeof prompt === 'string');
  checkSampling(request, { maxTokens, vocabularySize: engine.vocabularySize });
  return { tokens, maxTokens, script };
}

function tokensOf(engine: Engine, prompt: Prompt, addSpecialTokens: boolean): readonly number[] {
  if (typeof prompt !== 'string') {
    checkTokenIds(engine, prompt);
    return prompt;
  }
  checkPromptText(engine, prompt);
  return engine.tokenizer.encode(prompt, { addSpecialTokens });
}
