// Bounds on what one request may cost where vLLM has none: the work below happens in the process that serves all other requests, and
// some of it is multiplied by the number of responses.
import {
  ApiError,
  badRequest,
  jsonSize,
  type SamplingRead,
  stopStrings,
} from '../../../core/api/index.ts';
import type { Exchange } from '../http/exchange.ts';

/**
 * Most responses of one request, over all of its prompts: vLLM's VLLM_MAX_N_SEQUENCES, which vLLM applies to each prompt.
 * Creating as many takes 100 ms.
 */
const sequencesMax = 16_384;

/** Most entries of stop strings, biases and token lists, times the responses that have them: each takes 250 ns at first, and less per step. */
const entriesMax = 2 ** 18;

/** Most values of constraints and tools, times the prompts for which they are compiled. */
const compiledValuesMax = 2 ** 20;

/** Most prompt tokens, times the responses that read them: each is hashed twice, in 3 ns. */
const readTokensMax = 2 ** 24;

/**
 * Most values of messages, tools, documents and template variables. Rendering as many takes 100 ms, in one piece: 10,000 messages of a
 * line each.
 */
const renderedValuesMax = 32_768;

/** Most commas, colons and brackets in the arguments of tool calls, which are read and written again as JSON: 50 ms. */
const argumentMarksMax = 262_144;

/** @throws {ApiError} 400 if a conversation is too large to render. */
export function checkRendered(
  messages: readonly Readonly<Record<string, unknown>>[],
  others: readonly unknown[],
): void {
  let marks = 0;
  for (const { tool_calls: calls } of messages) {
    for (const call of Array.isArray(calls) ? calls : []) {
      if (marks <= argumentMarksMax) marks += marksOf(call, argumentMarksMax + 1 - marks);
    }
  }
  if (marks > argumentMarksMax) {
    throw badRequest(
      `The arguments of the tool calls have more than ${argumentMarksMax} commas, colons and brackets, the most that this engine reads. Send shorter ones.`,
    );
  }
  const size = jsonSize([messages, others], renderedValuesMax);
  if (size.values <= renderedValuesMax) return;
  throw badRequest(
    `The messages, tools, documents and chat_template_kwargs have more than ${renderedValuesMax} values together, the most that this engine renders. Send fewer or shorter ones.`,
  );
}

const argumentMarks = /[,:[{]/g;

/** Counts no further than `most`. */
function marksOf(call: unknown, most: number): number {
  const { arguments: text } = Object(Object(call)['function']) as { readonly arguments?: unknown };
  if (typeof text !== 'string') return 0;
  let count = 0;
  argumentMarks.lastIndex = 0;
  while (count < most && argumentMarks.test(text)) count++;
  return count;
}

/** What is multiplied with the number of prompts or responses. */
export type MultipliedFields = Pick<
  SamplingRead,
  'n' | 'stop' | 'stop_token_ids' | 'allowed_token_ids' | 'logit_bias' | 'bad_words'
> & {
  readonly response_format?: unknown;
  readonly structured_outputs?: unknown;
  readonly tools?: unknown;
};

/** @throws {ApiError} 400 if the prompts and responses of a request multiply to more work than an engine does for one request. */
export function checkMultiplied(request: MultipliedFields, prompts: number): void {
  const sequences = prompts * (request.n ?? 1);
  if (sequences > sequencesMax) {
    throw badRequest(
      `The request has ${prompts} prompts with ${request.n ?? 1} responses each; this engine takes at most ${sequencesMax} responses per request. Send fewer prompts, or a smaller n.`,
      'n',
    );
  }
  const entries =
    stopStrings(request.stop).length +
    [request.stop_token_ids, request.allowed_token_ids, request.bad_words].reduce(
      (total, list) => total + (list?.length ?? 0),
      0,
    ) +
    Object.keys(request.logit_bias ?? {}).length;
  if (sequences * entries > entriesMax) {
    throw badRequest(
      `The request has ${entries} entries in stop, stop_token_ids, allowed_token_ids, bad_words and logit_bias for each of ${sequences} responses; this engine takes at most ${entriesMax} in total. Send fewer entries or prompts, or a smaller n.`,
    );
  }
  if (prompts === 1) return;
  const { response_format: format, structured_outputs: outputs, tools } = request;
  const { values } = jsonSize([format, outputs, tools], Math.ceil(compiledValuesMax / prompts));
  if (values * prompts <= compiledValuesMax) return;
  throw badRequest(
    `The request has constraints and tools with more than ${Math.floor(compiledValuesMax / prompts)} values for ${prompts} prompts, the most that this engine compiles. Send smaller ones, or fewer prompts.`,
  );
}

/** Most prompt tokens that a response repeats, as text or ids, times the responses. Writing as many takes 100 ms, in one piece. */
const repeatedTokensMax = 2 ** 21;

/**
 * @param request `n`, and whether each response repeats its prompt.
 * @throws {ApiError} 400 if the responses of a request read too many tokens of its prompts.
 */
export function checkReadTokens(
  prompts: readonly { readonly tokens: { readonly length: number } }[],
  { n, repeats }: { readonly n: number; readonly repeats: boolean },
): void {
  const tokens = prompts.reduce((total, prompt) => total + prompt.tokens.length, 0);
  const most = repeats ? repeatedTokensMax : readTokensMax;
  if (tokens * n <= most) return;
  throw badRequest(
    `The request has ${tokens} prompt tokens for each of ${n} responses; this engine ${repeats ? 'repeats' : 'reads'} at most ${most} per request. Send fewer or shorter prompts, or a smaller n.`,
    'n',
  );
}

/**
 * Most log probabilities of one response that is not streamed: tokens, times the alternatives for each. Writing them takes 100 ms, in one
 * piece.
 */
const logprobsMax = 2 ** 17;

/**
 * @param tokens Tokens whose log probabilities are written.
 * @param top Alternatives for each; null for none at all.
 * @throws {ApiError} 400 if they are too many for one piece.
 */
export function checkLogprobCount(tokens: number, top: number | null | undefined): void {
  if (top == null) return;
  const count = tokens * (Math.max(0, top) + 1);
  if (count <= logprobsMax) return;
  throw badRequest(
    `The response would have ${count} log probabilities; this engine writes at most ${logprobsMax} in one piece. Ask for fewer, or stream the response.`,
    'logprobs',
  );
}

/**
 * Responds with an error if a response in one piece would have too many log probabilities.
 *
 * @returns Whether it has responded.
 */
export function refusesLogprobs(
  exchange: Pick<Exchange, 'sendJson'>,
  tokens: number,
  top: number | null | undefined,
): boolean {
  try {
    checkLogprobCount(tokens, top);
    return false;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    exchange.sendJson(error.httpStatus, error.body());
    return true;
  }
}

/** Tokens of all responses of a request. */
export function outputTokens(
  sequences: readonly { readonly output: { readonly length: number } }[],
): number {
  return sequences.reduce((total, { output }) => total + output.length, 0);
}
