// The checks on sampling of both generation routes: what the server says itself, and what it leaves
// to its engine.
import {
  badRequest,
  checkChoices,
  checkSampledTokens,
  checkSamplingValues,
  constraintOf,
  type SamplingRead,
} from '../../../core/protocol/index.ts';
import type { Engine } from '../engine.ts';
import { checkLogprobs } from './limits.ts';

/** What both routes' requests have, as far as it is checked here. */
export type CheckedSampling = SamplingRead &
  Parameters<typeof constraintOf>[0] & {
    readonly use_beam_search?: boolean | null | undefined;
    readonly logprob_token_ids?: readonly number[] | null | undefined;
    readonly thinking_token_budget?: number | null | undefined;
    readonly routed_experts_prompt_start?: number | null | undefined;
  };

/** @throws {ApiError} 400 before the answer begins. */
export function checkSamplingOfServer(request: CheckedSampling, maxTokens: number): void {
  if (request.use_beam_search) {
    checkChoices(request.n ?? 1, 'beam_width');
    return;
  }
  constraintOf(request);
  checkSamplingValues(request, maxTokens);
}

/** vLLM's MAX_LOGPROB_TOKEN_IDS. */
const logprobTokensMax = 128;

/** So that every beam can be continued in two ways. */
const beamLogprobsPerChoice = 2;

/**
 * @param logprobs Alternatives per token of the answer; null for none.
 * @throws {ApiError} 400 as the engine says it.
 */
export function checkSamplingOfEngine(
  engine: Engine,
  request: CheckedSampling,
  logprobs: number | null | undefined,
): void {
  if (request.use_beam_search) {
    checkBeams(engine, request);
    return;
  }
  const tokens = request.logprob_token_ids?.length ? request.logprob_token_ids : undefined;
  checkLogprobs(engine, tokens ? null : logprobs);
  if (tokens) checkLogprobTokens(engine, tokens);
  checkLogprobs(engine, null, request);
  checkSampledTokens(request, engine.vocabularySize);
}

/** @throws {ApiError} 400 for what needs a part of vLLM that is not configured. */
export function checkThinkingBudget(engine: Engine, request: CheckedSampling): void {
  if (request.use_beam_search || request.thinking_token_budget == null) return;
  if (engine.options.reasoningParser !== undefined) return;
  throw badRequest(
    'thinking_token_budget is set but reasoning_config is not configured. Please set --reasoning-parser and/or --reasoning-config to use thinking_token_budget.',
  );
}

/** @throws {ApiError} 400 if the prompt is shorter than what is to be skipped of it. */
export function checkExpertsStart(request: CheckedSampling, promptTokens: number): void {
  const start = request.routed_experts_prompt_start ?? 0;
  if (request.use_beam_search || start <= promptTokens) return;
  throw badRequest(
    `routed_experts_prompt_start must be between 0 and the prompt length (${promptTokens}), inclusive.`,
    'routed_experts_prompt_start',
    `${start}`,
  );
}

/** @throws {ApiError} 400 if a bad word has no tokens: one of white space alone. */
export function checkBadWords(request: CheckedSampling): void {
  if (request.use_beam_search) return;
  const words = request.bad_words ?? [];
  if (words.every((word) => word.trimStart() !== '')) return;
  const shown = `[${[...new Set(words)].map((word) => `'${word}'`).join(', ')}]`;
  throw badRequest('bad_words entries must tokenize to at least one token.', 'bad_words', shown);
}

/** Each step of a beam search asks for twice as many alternatives as there are beams. */
function checkBeams(engine: Engine, request: CheckedSampling): void {
  checkSamplingValues({ temperature: request.temperature }, 1);
  checkLogprobs(engine, beamLogprobsPerChoice * (request.n ?? 1));
}

function checkLogprobTokens(engine: Engine, tokens: readonly number[]): void {
  if (tokens.length > logprobTokensMax) {
    throw badRequest(
      `Requested logprob_token_ids of length ${tokens.length}, which is greater than max allowed: ${logprobTokensMax}`,
      'logprob_token_ids',
      `${tokens.length}`,
    );
  }
  const { vocabularySize } = engine;
  const outside = tokens.filter((token) => token < 0 || token >= vocabularySize);
  if (outside.length === 0) return;
  const ids = `[${outside.join(', ')}]`;
  throw badRequest(
    `token_id(s) ${ids} in logprob_token_ids contain out-of-vocab token ids. Vocabulary size: ${vocabularySize}`,
    'logprob_token_ids',
    ids,
  );
}
