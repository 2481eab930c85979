// The limits that the context sets on prompts and responses, with vLLM's error messages.
import { badRequest, type SamplingRead } from '../../../core/api/index.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';

/** Maximum number of characters per token; vLLM refuses longer text without tokenizing it. */
const charactersPerTokenMax = 128;

/** @throws {ApiError} 400 if no tokenization of this text could fit. */
export function checkPromptText(engine: EmbeddedEngine, text: string): void {
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

/** The length settings of a request, for its prompt and its response. */
export interface LengthRequest {
  /** Maximum number of tokens of the response; null for all that the context leaves. */
  readonly maxTokens: number | null | undefined;
  /** The name of the parameter in the client's API. */
  readonly maxTokensName: string;
  readonly truncateTo: number | null | undefined;
  readonly truncationSide: 'left' | 'right' | null | undefined;
}

/** @throws {ApiError} 400 if the request exceeds what the context can ever hold. */
export function checkLengths(engine: EmbeddedEngine, request: LengthRequest): void {
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
 * Number of tokens of a text beyond which its request is refused, so that no more of it needs to be encoded; a prompt that is
 * truncated is encoded whole, since it may lose its beginning.
 */
export function textTokensMax(
  engine: EmbeddedEngine,
  { truncateTo }: Pick<LengthRequest, 'truncateTo'>,
): number {
  return truncateTo == null ? engine.options.config.maxModelLen : Number.POSITIVE_INFINITY;
}

/**
 * Truncates a prompt as the client requests.
 *
 * @param isText Whether the prompt is text: it is truncated during tokenization, so its full length is unknown.
 * @throws {ApiError} 400 if it does not fit the context.
 */
export function fittingPrompt(
  engine: EmbeddedEngine,
  tokens: readonly number[],
  request: LengthRequest,
  isText: boolean,
): readonly number[] {
  const { maxModelLen } = engine.options.config;
  const { truncateTo, truncationSide = 'left' } = request;
  // Leaves space for one token of the response.
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

/** Returns the number of tokens that may be generated: the requested number, limited by the context. */
export function maxTokensWithin(
  engine: EmbeddedEngine,
  promptTokens: number,
  asked: number | null | undefined,
): number {
  const { maxModelLen } = engine.options.config;
  return Math.min(asked ?? maxModelLen, maxModelLen - promptTokens);
}

/** @throws {ApiError} 400 if the prompt is empty, fills the context, or has token ids outside the vocabulary. */
export function checkPromptTokens(engine: EmbeddedEngine, tokens: readonly number[]): void {
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
 * @param top Alternatives per token of the response; -1 for the whole vocabulary.
 * @throws {ApiError} 400 if more alternatives are requested than the server allows.
 */
export function checkLogprobs(
  engine: EmbeddedEngine,
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

/** @throws {ApiError} 400 if a token id is outside the vocabulary. */
export function checkTokenIds(engine: EmbeddedEngine, tokens: readonly number[]): void {
  const outside = tokens.find((token) => token < 0 || token >= engine.vocabularySize);
  if (outside !== undefined) throw badRequest(`Token id ${outside} is out of vocabulary`);
}
