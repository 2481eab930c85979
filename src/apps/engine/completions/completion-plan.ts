// Plans a prompt of a completion request: tokens, limits, and the constraint on the response.
import {
  ApiError,
  badRequest,
  type CompletionRequest,
  inEngine,
  type Prompt,
  promptsOf,
} from '../../../core/api/index.ts';
import { admitToEngine } from '../generation/engine-admission.ts';
import {
  checkLengths,
  checkPromptText,
  fittingPrompt,
  type LengthRequest,
  maxTokensWithin,
  textTokensMax,
} from '../generation/limits.ts';
import { checkLogprobCount, checkMultiplied } from '../generation/request-bounds.ts';
import {
  checkSamplingOfServer,
  checkUntrustedKwargs,
  noRenderedBeams,
} from '../generation/server-checks.ts';
import type { PromptPlan } from '../generation/start-generation.ts';
import type { Exchange } from '../http/exchange.ts';
import { mapInSlices } from '../runtime/breaks.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import type { EncodeOptions } from '../runtime/prompt-encoder.ts';

/** vLLM's default of `max_tokens` for completions; chat has none. */
const maxTokensDefault = 16;

/**
 * @param options `isRender`: no engine receives the request, so checks that only an engine makes are skipped.
 * @throws {ApiError} 400 if a prompt does not fit or a parameter is out of range.
 */
export async function planCompletion(
  engine: EmbeddedEngine,
  request: CompletionRequest,
  options: { readonly exchange?: Exchange; readonly isRender?: boolean } = {},
): Promise<readonly PromptPlan[]> {
  if (options.isRender && request.use_beam_search) throw noRenderedBeams();
  checkSuffix(request);
  checkUntrustedKwargs(request);
  const asked = request.max_tokens ?? maxTokensDefault;
  const lengths: LengthRequest = {
    maxTokens: asked,
    maxTokensName: 'max_tokens',
    truncateTo: request.truncate_prompt_tokens,
    truncationSide: request.truncation_side,
  };
  const given = promptsOf(request.prompt ?? []);
  checkLengths(engine, lengths);
  checkMultiplied(request, given.length);
  const prompts = await mapInSlices(given, async (prompt) => {
    const tokens = await tokensOf(engine, prompt, {
      addSpecialTokens: request.add_special_tokens !== false,
      tokensMax: textTokensMax(engine, lengths),
    });
    if (echoesTokens(request) && typeof prompt !== 'string') checkDecodable(tokens);
    return fittingPrompt(engine, tokens, lengths, typeof prompt === 'string');
  });
  // With `echo` the output may be empty; the engine computes one token anyway.
  const isEchoOnly = asked === 0 && request.echo === true;
  const plans = await mapInSlices(prompts, (tokens) => {
    const maxTokens = isEchoOnly ? 1 : maxTokensWithin(engine, tokens.length, asked);
    checkSamplingOfServer(request, maxTokens);
    return { tokens, maxTokens };
  });
  if (options.isRender) return plans;
  const prompted = request.prompt_logprobs ?? (request.echo ? request.logprobs : undefined);
  const logprobs = request.logprob_token_ids?.length ? null : request.logprobs;
  const promptTokens = plans.reduce((total, { tokens }) => total + tokens.length, 0);
  checkLogprobCount(promptTokens * (request.n ?? 1), prompted);
  return mapInSlices(plans, (plan) => {
    const script = admitToEngine(engine, {
      request: {
        ...request,
        prompt_logprobs: prompted,
        logprob_token_ids: request.logprob_token_ids?.length ? request.logprob_token_ids : null,
      },
      ...{ logprobs, prompt: plan.tokens, exchange: options.exchange },
    });
    if (echoesTokens(request)) inEngine(() => checkEchoed(engine, plan.tokens));
    return { ...plan, script };
  });
}

/** vLLM treats empty text as missing, and fails. */
function checkEchoed(engine: EmbeddedEngine, tokens: readonly number[]): void {
  if (engine.tokenizer.decode(tokens) !== '') return;
  throw new ApiError(500, 'InternalServerError', '');
}

/** Token prompts are decoded for their echo, unless the client gets the tokens. */
function echoesTokens({ echo, return_token_ids: returnsTokens }: CompletionRequest): boolean {
  return echo === true && returnsTokens !== true;
}

/**
 * @throws {ApiError} 400 with the tokenizer's message, or Python's for a value that is not a token
 * id.
 */
function checkDecodable(tokens: readonly number[]): void {
  for (const token of tokens) {
    if (token >= 2 ** 63) throw badRequest('Python int too large to convert to C long');
    if (token >= 2 ** 32) throw badRequest('number too large to fit in target type');
  }
}

/** A suffix, and prompts that are not tokens, are for other models. */
function checkSuffix(request: CompletionRequest): void {
  const { suffix, prompt_embeds: embeds } = request;
  if (suffix != null) {
    throw new ApiError(400, 'BadRequestError', suffixFault(request), { param: 'suffix' });
  }
  if (embeds == null) return;
  if (request.echo) throw badRequest('Echo is unsupported with prompt embeds.');
  if (request.prompt_logprobs != null) {
    throw badRequest('prompt_logprobs is not compatible with prompt embeds.');
  }
  checkUntrustedKwargs(request);
  if (Array.isArray(embeds) && embeds.length === 0) return;
  throw badRequest(
    'You must set `--enable-prompt-embeds` to input `prompt_embeds`.',
    'prompt_embeds',
  );
}

function suffixFault({
  echo,
  prompt,
  prompt_embeds: embeds,
  truncate_prompt_tokens: kept,
}: CompletionRequest) {
  if (echo) return 'Echo is unsupported with suffix.';
  if (embeds != null) return 'suffix is not supported with prompt_embeds';
  if (kept != null) return 'suffix is not supported with truncate_prompt_tokens';
  const isText = typeof prompt === 'string' || prompt?.every((one) => typeof one === 'string');
  return isText
    ? 'suffix is only supported for models with FIM completion rendering'
    : 'suffix requires text prompt input for FIM completion rendering';
}

async function tokensOf(
  engine: EmbeddedEngine,
  prompt: Prompt,
  options: EncodeOptions,
): Promise<readonly number[]> {
  if (typeof prompt !== 'string') return prompt;
  checkPromptText(engine, prompt);
  return engine.prompts.encode(prompt, options);
}
