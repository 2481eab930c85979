// The context's bounds on prompts and answers, with vLLM's sentences.
import { badRequest, type SamplingRead } from '../../../core/api/index.ts';
import type { Engine } from '../engine.ts';

/** No token of a text model stands for more characters; vLLM refuses longer text unread. */
const charactersPerTokenMax = 128;

/** @throws {ApiError} 400 if no tokenization of this text could fit. */
export function checkPromptText(engine: Engine, text: string): void {
  const { maxModelLen } = engine.options.config;
  const charactersMax = maxModelLen * charactersPerTokenMax;
  if (!text.isWellFormed()) {
    throw badRequest(
      'TextEncodeInput must be Union[TextInputSequence, Tuple[InputSequence, InputSequence]]',
    );
  }
  if (text.length <= charactersMax) return;
  throw badRequest(
    `This model's maximum context length is ${maxModelLen} tokens. However, your prompt contains ${text.length} characters (more than ${charactersMax} characters, which is the upper bound for ${maxModelLen} input tokens). Please reduce the length of the input prompt.`,
    'input_text',
    `${text.length}`,
  );
}

/** What a request says about the length of its prompt and its answer. */
export interface LengthRequest {
  /** Tokens of the answer; null for what is left. */
  readonly maxTokens: number | null | undefined;
  /** How the client's API calls them. */
  readonly maxTokensName: string;
  readonly truncateTo: number | null | undefined;
  readonly truncationSide: 'left' | 'right' | null | undefined;
}

/** @throws {ApiError} 400 if more is asked for than the context can ever hold. */
export function checkLengths(engine: Engine, request: LengthRequest): void {
  const { maxModelLen } = engine.options.config;
  const { maxTokens, maxTokensName: name, truncateTo } = request;
  if (maxTokens != null && maxTokens > maxModelLen) {
    throw badRequest(
      `${name}=${maxTokens} cannot be greater than max_model_len=${maxModelLen}. Please request fewer output tokens.`,
      name,
      `${maxTokens}`,
    );
  }
  if (truncateTo != null && truncateTo > maxModelLen) {
    throw badRequest(
      `truncate_prompt_tokens=${truncateTo} cannot be greater than max_model_len = ${maxModelLen}. Please request a smaller truncation size.`,
      'truncate_prompt_tokens',
      `${truncateTo}`,
    );
  }
}

/**
 * The part of a prompt that the client wants kept.
 *
 * @param isText Text is cut while it is tokenized, so its true length is not known.
 * @throws {ApiError} 400 if it does not fit the context.
 */
export function fittingPrompt(
  engine: Engine,
  tokens: readonly number[],
  request: LengthRequest,
  isText: boolean,
): readonly number[] {
  const { maxModelLen } = engine.options.config;
  const { truncateTo, truncationSide = 'left' } = request;
  // Room for one token of the answer.
  const most = request.maxTokens ? maxModelLen - 1 : maxModelLen;
  const kept = truncateTo == null ? tokens.length : truncateTo < 0 ? most : truncateTo;
  const prompt =
    kept >= tokens.length
      ? tokens
      : truncationSide === 'right' || kept === 0
        ? tokens.slice(0, kept)
        : tokens.slice(-kept);
  if (prompt.length <= maxModelLen) return prompt;
  const [words, value] =
    isText || prompt.length === maxModelLen + 1
      ? [`at least ${maxModelLen + 1}`, maxModelLen + 1]
      : [`${prompt.length}`, prompt.length];
  throw badRequest(
    `This model's maximum context length is ${maxModelLen} tokens. However, your prompt contains ${words} input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input prompt.`,
    'input_tokens',
    `${value}`,
  );
}

/** How many tokens may be generated: what is asked for, within what the context leaves. */
export function maxTokensWithin(
  engine: Engine,
  promptTokens: number,
  asked: number | null | undefined,
): number {
  const { maxModelLen } = engine.options.config;
  return Math.min(asked ?? maxModelLen, maxModelLen - promptTokens);
}

/** @throws {ApiError} 400 if the prompt is empty, fills the context, or has tokens of no model. */
export function checkPromptTokens(engine: Engine, tokens: readonly number[]): void {
  if (tokens.length === 0) throw badRequest('The decoder prompt cannot be empty');
  const { maxModelLen } = engine.options.config;
  if (tokens.length > maxModelLen) {
    throw badRequest(
      `The decoder prompt (length ${tokens.length}) is longer than the maximum model length of ${maxModelLen}. Make sure that \`max_model_len\` is no smaller than the number of text tokens.`,
    );
  }
  if (tokens.length === maxModelLen) {
    throw badRequest(
      `The decoder prompt (length ${tokens.length}) plus the number of requested output tokens (at least 1) is longer than the maximum model length of ${maxModelLen}. Make sure that \`max_model_len\` is no smaller than the number of text tokens (prompt + requested output tokens).`,
    );
  }
  checkTokenIds(engine, tokens);
}

/** vLLM's `--max-logprobs`. */
const logprobsMax = 20;

/**
 * @param top Alternatives per token of the answer; -1 for the whole vocabulary.
 * @throws {ApiError} 400 if more alternatives are asked for than the server gives.
 */
export function checkLogprobs(
  engine: Engine,
  top: number | null | undefined,
  request: Pick<SamplingRead, 'prompt_logprobs'> = {},
): void {
  const checks = [
    ['sample', 'logprobs', top],
    ['prompt', 'prompt_logprobs', request.prompt_logprobs],
  ] as const;
  for (const [kind, name, given] of checks) {
    const asked = given === -1 ? engine.vocabularySize : (given ?? 0);
    if (asked <= logprobsMax) continue;
    throw badRequest(
      `Requested ${kind} logprobs of ${asked}, which is greater than max allowed: ${logprobsMax}`,
      name,
      `${asked}`,
    );
  }
}

/** @throws {ApiError} 400 if a token is none of the model's. */
export function checkTokenIds(engine: Engine, tokens: readonly number[]): void {
  const outside = tokens.find((token) => token < 0 || token >= engine.vocabularySize);
  if (outside !== undefined) throw badRequest(`Token id ${outside} is out of vocabulary`);
}
