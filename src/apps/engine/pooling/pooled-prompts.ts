// Runs the prompts of one request through the engine: each is one prefill, without a token of a response.
import {
  badRequest,
  type EmbeddingRequest,
  inEngine,
  type PairSettings,
} from '../../../core/api/index.ts';
import { chatPrompt } from '../chat/chat-prompt.ts';
import {
  checkPromptText,
  checkTokenIds,
  fittingPrompt,
  textTokensMax,
} from '../generation/limits.ts';
import { failResponse } from '../generation/response-writer.ts';
import { startGeneration } from '../generation/start-generation.ts';
import type { Exchange } from '../http/exchange.ts';
import { mapInSlices } from '../runtime/breaks.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';

/**
 * The prompts of a request for vectors or classes: texts, tokens, or a conversation.
 *
 * @throws {ApiError} 400 if there is none, or one does not fit the context.
 */
export async function requestPrompts(
  engine: EmbeddedEngine,
  request: EmbeddingRequest,
): Promise<readonly (readonly number[])[]> {
  const { messages, input } = request;
  if (messages !== undefined) {
    const add_generation_prompt = request.add_generation_prompt ?? false;
    const tokens = await chatPrompt(engine, { ...request, messages, add_generation_prompt });
    return [fitting(engine, tokens, request, true)];
  }
  const given = isTokens(input) ? [input] : [input ?? ''].flat();
  if (given.length === 0) throw badRequest('You must pass at least one prompt');
  checkInputs(engine, given.length);
  return mapInSlices<string | readonly number[], readonly number[]>(given, (one) =>
    typeof one === 'string'
      ? textTokens(engine, one, request)
      : fitting(engine, one, request, false),
  );
}

/**
 * Most inputs of a request, and most values of all of its vectors: OpenAI's limit of inputs, with the largest vectors of the catalogue.
 * vLLM has none.
 */
const inputsMax = 16_384;
const vectorValuesMax = 2048 * 4096;

/** @throws {ApiError} 400 if there are more inputs than an engine computes for one request. */
export function checkInputs(engine: EmbeddedEngine, inputs: number): void {
  const { dimensions = 1, task } = engine.options.pooling ?? {};
  const most =
    task === 'embed' ? Math.min(inputsMax, Math.floor(vectorValuesMax / dimensions)) : inputsMax;
  if (inputs <= most) return;
  throw badRequest(
    `The request has ${inputs} inputs; this engine takes at most ${most} per request. Send them in several requests.`,
    'input',
  );
}

function isTokens(input: EmbeddingRequest['input']): input is readonly number[] {
  return Array.isArray(input) && typeof input[0] === 'number';
}

/**
 * The tokens of a text, with the special ones of an encoder.
 *
 * @throws {ApiError} 400 if it does not fit the context.
 */
export async function textTokens(
  engine: EmbeddedEngine,
  text: string,
  settings: PairSettings & {
    readonly add_special_tokens?: boolean | null | undefined;
    /** Whether it is part of a pair, which has the special tokens. @default false */
    readonly isPart?: boolean;
  },
): Promise<readonly number[]> {
  checkPromptText(engine, text);
  const addSpecialTokens = settings.add_special_tokens !== false;
  const tokens = await engine.prompts.encode(text, {
    addSpecialTokens,
    tokensMax: textTokensMax(engine, { truncateTo: settings.truncate_prompt_tokens }),
  });
  const specials = settings.isPart ? undefined : engine.options.pooling?.specials;
  if (!addSpecialTokens || specials === undefined) return fitting(engine, tokens, settings, true);
  const whole = [specials.begin, ...tokens, specials.end];
  const fitted = fitting(engine, whole, settings, true);
  // A tokenizer that truncates keeps both.
  return fitted.length === whole.length || fitted.length < 2
    ? fitted
    : [specials.begin, ...fitted.slice(1, -1), specials.end];
}

/** Truncates a prompt as the client requests. @throws {ApiError} 400 if it does not fit the context. */
export function fitting(
  engine: EmbeddedEngine,
  tokens: readonly number[],
  settings: PairSettings,
  isText: boolean,
): readonly number[] {
  const lengths = {
    ...{ maxTokens: undefined, maxTokensName: 'max_tokens' },
    truncateTo: settings.truncate_prompt_tokens,
    truncationSide: settings.truncation_side,
  };
  return fittingPrompt(engine, tokens, lengths, isText);
}

/**
 * Computes prompts and then sends a response.
 *
 * @throws {ApiError} 400 if the engine refuses one of them.
 */
export function computePrompts(options: {
  readonly engine: EmbeddedEngine;
  readonly exchange: Exchange;
  readonly id: string;
  readonly prompts: readonly (readonly number[])[];
  readonly settings: PairSettings;
  readonly onComputed: () => Promise<void>;
}): void {
  const { engine, exchange, id, prompts, settings, onComputed } = options;
  inEngine(() => {
    for (const tokens of prompts) {
      if (tokens.length === 0) throw badRequest('The decoder prompt cannot be empty');
      checkTokenIds(engine, tokens);
    }
  });
  let open = prompts.length;
  startGeneration({
    ...{ engine, exchange, id, isStream: false },
    prompts: prompts.map((tokens) => ({ tokens, maxTokens: 1, isPooled: true })),
    request: {
      model: settings.model,
      cache_salt: settings.cache_salt,
      priority: settings.priority,
    },
    writer: {
      start: () => {},
      onDelta: () => {
        if (--open === 0) void onComputed().catch(() => failResponse(exchange));
      },
    },
  });
}

/** The `usage` of a response. */
export function pooledUsage(prompts: readonly (readonly number[])[]): object {
  const tokens = prompts.reduce((total, { length }) => total + length, 0);
  return {
    ...{ prompt_tokens: tokens, total_tokens: tokens, completion_tokens: 0 },
    ...{ prompt_tokens_details: null, completion_tokens_details: null },
  };
}
