// The checks that an engine makes before it admits a request, in vLLM's order. A streamed response
// has started by then, so its client receives a refusal as an event.
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
import type { Exchange } from '../http/exchange.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import type { Script } from '../sequences/token-source.ts';
import { constrainedText } from '../structured/constrained-text.ts';
import type { GrowingText } from '../structured/growing-text.ts';
import { ScriptTokens } from '../structured/script-tokens.ts';
import { checkLogprobs, checkPromptTokens } from './limits.ts';
import { checkLogprobCount } from './request-bounds.ts';
import type { CheckedSampling } from './server-checks.ts';
import { checkDataParallelRank } from './start-generation.ts';

/** A request as the engine receives it. */
export interface EngineRequest {
  readonly request: CheckedSampling;
  /** Alternatives per token of the response; null for none. */
  readonly logprobs: number | null | undefined;
  readonly prompt: readonly number[];
  /** The exchange whose headers apply; those of a batch and of other APIs do not. */
  readonly exchange?: Exchange | undefined;
  /** How tools change the constraint. */
  readonly tools?: ToolConstraint | undefined;
  /** Checks of the route's own fields, before and after the constraint. */
  readonly more?: { readonly first: () => void; readonly last: () => void } | undefined;
}

/** Tools that constrain the model, instead of the request's other constraint. */
export interface ToolConstraint {
  /** xgrammar's structural tag. */
  readonly tag: string | undefined;
  /** The tool call that the response consists of, if any. */
  readonly text: GrowingText | undefined;
}

/**
 * @returns The tokens that the response must consist of, if they are fixed.
 * @throws {EngineRefusal} 400 with the engine's message.
 * @see vllm/v1/engine/input_processor.py, `process_inputs`
 */
export function admitToEngine(engine: EmbeddedEngine, given: EngineRequest): Script | undefined {
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
    checkLogprobCount(prompt.length, request.prompt_logprobs);
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
    if (text === undefined) return undefined;
    return new ScriptTokens(text, (piece, isFirst) =>
      engine.tokenizer.encode(piece, isFirst ? {} : { addSpecialTokens: false }),
    );
  });
}

/** @returns The text that the response must consist of. */
function constrained(
  engine: EmbeddedEngine,
  { request, tools }: EngineRequest,
): GrowingText | undefined {
  if (tools?.tag !== undefined) {
    checkForm({ structural_tag: tools.tag });
    // A response without a tool call has the form that the request asks for.
    return tools.text ?? constrainedText(constraintOf(request), 'auto');
  }
  const outputs = constraintOf(request);
  checkForm(outputs);
  const text = constrainedText(outputs, engine.options.grammarBackend);
  return tools?.text ?? text;
}

/** Some routes have already checked the tag. */
function checkForm(outputs: StructuredOutputs | undefined): void {
  checkConstraint(outputs);
  const tag = outputs?.structural_tag;
  if (tag != null && !isTagText(tag)) throw badRequest('Invalid structural tag specification.');
}

/** Each step of a beam search requests twice as many alternatives as there are beams. */
const beamLogprobsPerChoice = 2;

function checkBeams(engine: EmbeddedEngine, request: CheckedSampling): void {
  checkSamplingValues({ temperature: request.temperature }, 1);
  checkLogprobs(engine, beamLogprobsPerChoice * (request.n ?? 1));
}

/** vLLM's MAX_LOGPROB_TOKEN_IDS. */
const logprobTokensMax = 128;

function checkLogprobTokens(engine: EmbeddedEngine, { request, logprobs }: EngineRequest): void {
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

/** @throws {ApiError} 400 for features that are not configured in vLLM. */
function checkThinkingBudget(engine: EmbeddedEngine, request: CheckedSampling): void {
  if (request.thinking_token_budget == null) return;
  if (engine.options.reasoningParser !== undefined) return;
  throw badRequest(
    'thinking_token_budget is set but reasoning_config is not configured. Please set --reasoning-parser and/or --reasoning-config to use thinking_token_budget.',
  );
}

/** @throws {ApiError} 400 if the prompt is shorter than the part to skip. */
function checkExpertsStart(request: CheckedSampling, promptTokens: number): void {
  const start = request.routed_experts_prompt_start ?? 0;
  if (start >= 0 && start <= promptTokens) return;
  throw badRequest(
    `routed_experts_prompt_start must be between 0 and the prompt length (${promptTokens}), inclusive.`,
    'routed_experts_prompt_start',
    `${start}`,
  );
}

/** @throws {ApiError} 400 if a bad word has no tokens, such as one of only white space. */
function checkBadWords(request: CheckedSampling): void {
  const words = request.bad_words ?? [];
  if (words.every((word) => word.trimStart() !== '')) return;
  const shown = `[${[...new Set(words)].map((word) => `'${word}'`).join(', ')}]`;
  throw badRequest('bad_words entries must tokenize to at least one token.', 'bad_words', shown);
}
