// The context's bounds on prompts and answers, with vLLM's sentences.
import { badRequest, type SamplingRead } from '../../../core/protocol/index.ts';
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

/**
 * How many tokens a request may generate: what it asks for, within what the context leaves.
 *
 * @param name How the request calls what it asks for.
 * @param isText Text is cut while it is tokenized, so its true length is not known.
 * @throws {ApiError} 400 if the prompt does not fit or nothing is left to generate.
 */
export function maxTokensOf(
  engine: Engine,
  promptTokens: number,
  asked: number | null | undefined,
  isText: boolean,
  name = 'max_tokens',
): number {
  const { maxModelLen } = engine.options.config;
  if (promptTokens === 0) throw badRequest('The decoder prompt cannot be empty');
  if (promptTokens > maxModelLen) {
    const [words, value] = isText
      ? [`at least ${maxModelLen + 1}`, maxModelLen + 1]
      : [`${promptTokens}`, promptTokens];
    throw badRequest(
      `This model's maximum context length is ${maxModelLen} tokens. However, your prompt contains ${words} input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input prompt.`,
      'input_tokens',
      `${value}`,
    );
  }
  if (asked != null && asked > maxModelLen) {
    throw badRequest(
      `${name}=${asked} cannot be greater than max_model_len=${maxModelLen}. Please request fewer output tokens.`,
      name,
      `${asked}`,
    );
  }
  const maxTokens = Math.min(asked ?? maxModelLen, maxModelLen - promptTokens);
  if (maxTokens < 1) {
    throw badRequest(
      `max_tokens must be at least 1, got ${maxTokens}.`,
      'max_tokens',
      `${maxTokens}`,
    );
  }
  return maxTokens;
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
  const outside = tokens.find((token) => token >= engine.vocabularySize);
  if (outside !== undefined) throw badRequest(`Token id ${outside} is out of vocabulary`);
}

/** Keeps the end of a prompt that the client wants cut. */
export function truncated<T extends readonly number[]>(
  tokens: T,
  { truncate_prompt_tokens: kept }: Pick<SamplingRead, 'truncate_prompt_tokens'>,
): T | number[] {
  return kept == null || kept < 1 ? tokens : tokens.slice(-kept);
}
