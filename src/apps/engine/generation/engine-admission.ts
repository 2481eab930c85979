// What an engine looks at before it takes a request, in vLLM's order. By then the answer to a stream
// has begun: its client gets the refusal as an event.
import {
  badRequest,
  checkBiasedTokens,
  checkConstraint,
  checkSamplingValues,
  checkStopTokens,
  checkVocabulary,
  constraintOf,
  inEngine,
  isTagText,
  type StructuredOutputs,
} from '../../../core/api/index.ts';
import type { Engine } from '../engine.ts';
import type { Exchange } from '../http/exchange.ts';
import { constrainedText } from '../structured/constrained-text.ts';
import { checkLogprobs, checkPromptTokens } from './limits.ts';
import type { CheckedSampling } from './sampling-checks.ts';
import { checkDataParallelRank } from './start.ts';

/** A request as its engine gets it. */
export interface EngineRequest {
  readonly request: CheckedSampling;
  /** Alternatives per token of the answer; null for none. */
  readonly logprobs: number | null | undefined;
  readonly prompt: readonly number[];
  /** Whose headers count; of a batch and of other APIs none do. */
  readonly exchange?: Exchange | undefined;
  /** What tools make of the constraint. */
  readonly tools?: ToolConstraint | undefined;
  /** Checks of the route's own fields, which come before and behind the constraint. */
  readonly more?: { readonly first: () => void; readonly last: () => void } | undefined;
}

/** Tools that hold the model, in place of what else the request asks for. */
export interface ToolConstraint {
  /** xgrammar's structural tag. */
  readonly tag: string | undefined;
  /** The call that the answer is, if it is one. */
  readonly text: string | undefined;
}

/**
 * @returns The tokens that the answer must be, if it must.
 * @throws {EngineRefusal} 400 as the engine says it.
 * @see vllm/v1/engine/input_processor.py, `process_inputs`
 */
export function admitToEngine(engine: Engine, given: EngineRequest): readonly number[] | undefined {
  const { request, prompt, exchange, more } = given;
  return inEngine(() => {
    if (request.use_beam_search) {
      checkBeams(engine, request);
      checkPromptTokens(engine, prompt);
      return undefined;
    }
    checkLogprobs(engine, given.logprobs);
    checkLogprobTokens(engine, given);
    checkLogprobs(engine, null, request);
    checkBiasedTokens(request, engine.vocabularySize);
    more?.first();
    checkStopTokens(request, engine.vocabularySize);
    const text = constrained(engine, given);
    more?.last();
    checkThinkingBudget(engine, request);
    if (exchange) checkDataParallelRank(exchange);
    checkPromptTokens(engine, prompt);
    checkExpertsStart(request, prompt.length);
    checkBadWords(request);
    return text === undefined ? undefined : engine.tokenizer.encode(text);
  });
}

/** @returns The text that the answer must be. */
function constrained(engine: Engine, { request, tools }: EngineRequest): string | undefined {
  if (tools?.tag !== undefined) {
    checkForm({ structural_tag: tools.tag });
    // The answer that is no call has what form the request asks for.
    return tools.text ?? constrainedText(constraintOf(request), 'auto');
  }
  const outputs = constraintOf(request);
  checkForm(outputs);
  const text = constrainedText(outputs, engine.options.grammarBackend);
  return tools?.text ?? text;
}

/** A route may have looked at the tag before: not all do. */
function checkForm(outputs: StructuredOutputs | undefined): void {
  checkConstraint(outputs);
  const tag = outputs?.structural_tag;
  if (tag != null && !isTagText(tag)) throw badRequest('Invalid structural tag specification.');
}

/** Each step of a beam search asks for twice as many alternatives as there are beams. */
const beamLogprobsPerChoice = 2;

function checkBeams(engine: Engine, request: CheckedSampling): void {
  checkSamplingValues({ temperature: request.temperature }, 1);
  checkLogprobs(engine, beamLogprobsPerChoice * (request.n ?? 1));
}

/** vLLM's MAX_LOGPROB_TOKEN_IDS. */
const logprobTokensMax = 128;

function checkLogprobTokens(engine: Engine, { request, logprobs }: EngineRequest): void {
  const tokens = request.logprob_token_ids;
  if (!tokens) return;
  if (tokens.length > logprobTokensMax) {
    throw badRequest(
      `Requested logprob_token_ids of length ${tokens.length}, which is greater than max allowed: ${logprobTokensMax}`,
      'logprob_token_ids',
      `${tokens.length}`,
    );
  }
  checkVocabulary('logprob_token_ids', tokens, engine.vocabularySize);
  if (logprobs == null || logprobs === tokens.length) return;
  throw badRequest(
    `When both logprobs and logprob_token_ids are set, logprobs must equal len(logprob_token_ids). Got logprobs=${logprobs}, len(logprob_token_ids)=${tokens.length}.`,
    'logprob_token_ids',
    `${tokens.length}`,
  );
}

/** @throws {ApiError} 400 for what needs a part of vLLM that is not configured. */
function checkThinkingBudget(engine: Engine, request: CheckedSampling): void {
  if (request.thinking_token_budget == null) return;
  if (engine.options.reasoningParser !== undefined) return;
  throw badRequest(
    'thinking_token_budget is set but reasoning_config is not configured. Please set --reasoning-parser and/or --reasoning-config to use thinking_token_budget.',
  );
}

/** @throws {ApiError} 400 if the prompt is shorter than what is to be skipped of it. */
function checkExpertsStart(request: CheckedSampling, promptTokens: number): void {
  const start = request.routed_experts_prompt_start ?? 0;
  if (start >= 0 && start <= promptTokens) return;
  throw badRequest(
    `routed_experts_prompt_start must be between 0 and the prompt length (${promptTokens}), inclusive.`,
    'routed_experts_prompt_start',
    `${start}`,
  );
}

/** @throws {ApiError} 400 if a bad word has no tokens: one of white space alone. */
function checkBadWords(request: CheckedSampling): void {
  const words = request.bad_words ?? [];
  if (words.every((word) => word.trimStart() !== '')) return;
  const shown = `[${[...new Set(words)].map((word) => `'${word}'`).join(', ')}]`;
  throw badRequest('bad_words entries must tokenize to at least one token.', 'bad_words', shown);
}
