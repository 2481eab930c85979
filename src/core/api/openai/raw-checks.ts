// vLLM's checks on a body before its schema is read. They see raw JSON, in a fixed order. Where an
// unexpected value makes them fail, the client sees Python's own message.

import { checkTagFormat, checkTagText } from '../grammar/structural-tag.ts';
import { ApiError, badRequest } from './api-error.ts';
import { isTruthy, pythonText, pythonType } from './python-repr.ts';

type Body = Readonly<Record<string, unknown>>;

/** Like Python's data.get: null for an absent key. */
function get(body: Body, name: string): unknown {
  return body[name] ?? null;
}

/** @throws {ApiError} 400 or 500 if `value` cannot be iterated over. */
function checkIterable(value: unknown): void {
  if (typeof value === 'string' || (typeof value === 'object' && value !== null)) return;
  throw badRequest(`'${pythonType(value)}' object is not iterable`);
}

/** An error of vLLM's own that nothing catches. */
function internalError(message: string): ApiError {
  return new ApiError(500, 'InternalServerError', message);
}

export function checkMessagesRaw(body: Body): void {
  if (body['messages'] !== undefined) checkIterable(body['messages']);
}

export function checkGenerationPrompt(body: Body): void {
  if (isTruthy(body['continue_final_message']) && isTruthy(body['add_generation_prompt'])) {
    throw badRequest(
      'Cannot set both `continue_final_message` and `add_generation_prompt` to True.',
    );
  }
}

const usage = 'Correct usage: `{"type": "function", "function": {"name": "my_function"}}`';

/** @returns The effective choice: `auto` if there are tools and none is set. */
export function checkToolsRaw(body: Body): unknown {
  const tools = get(body, 'tools');
  if (Array.isArray(tools) && tools.length === 0) {
    throw badRequest(
      '`tools` must not be an empty array. Either provide at least one tool or omit the field entirely.',
      'tools',
    );
  }
  const isChosen = body['tool_choice'] !== undefined;
  const choice = isChosen ? get(body, 'tool_choice') : isTruthy(tools) ? 'auto' : undefined;
  if (choice === 'none' || choice == null) return choice;
  if (tools === null) {
    throw badRequest('When using `tool_choice`, `tools` must be set.', 'tool_choice');
  }
  const isNamed = typeof choice === 'object' && !Array.isArray(choice);
  if (choice !== 'auto' && choice !== 'required' && !isNamed) {
    throw badRequest(
      `Invalid value for \`tool_choice\`: ${pythonText(choice)}! Only named tools, "none", "auto" or "required" are supported.`,
      'tool_choice',
    );
  }
  if (isNamed) checkNamedChoice(choice as Body, tools);
  return choice;
}

function checkNamedChoice(choice: Body, tools: unknown): void {
  const called = get(choice, 'function');
  if (typeof called !== 'object' || called === null || Array.isArray(called)) {
    throw badRequest(
      `Invalid value for \`function\`: \`${pythonText(called)}\` in \`tool_choice\`! ${usage}`,
      'tool_choice.function',
    );
  }
  if (!('name' in called)) {
    throw badRequest(
      `Expected field \`name\` in \`function\` in \`tool_choice\`! ${usage}`,
      'tool_choice.function.name',
    );
  }
  const { name } = called;
  if (typeof name !== 'string' || name === '') {
    throw badRequest(
      `Invalid \`name\` in \`function\`: \`${pythonText(name)}\` in \`tool_choice\`! ${usage}`,
      'tool_choice.function.name',
    );
  }
  checkIterable(tools);
  const each = Array.isArray(tools)
    ? tools
    : typeof tools === 'string'
      ? [...tools]
      : Object.keys(tools as Body);
  for (const tool of each) {
    if (item(item(tool, 'function'), 'name') === name) return;
  }
  throw badRequest(
    'The tool specified in `tool_choice` does not match any of the specified `tools`',
    'tool_choice',
  );
}

/** Like Python's value[name]. */
function item(value: unknown, name: string): unknown {
  const type = pythonType(value);
  if (type === 'dict') {
    if (name in (value as Body)) return (value as Body)[name];
    throw internalError(`'${name}'`);
  }
  if (type === 'str') throw badRequest("string indices must be integers, not 'str'");
  if (type === 'list') throw badRequest('list indices must be integers or slices, not str');
  throw badRequest(`'${type}' object is not subscriptable`);
}

/**
 * @param param The field that the route names in the error, if any.
 * @param toolChoice Undefined if the route has no tools.
 */
export function checkConstraintsRaw(
  body: Body,
  options: { readonly param?: string; readonly toolChoice?: unknown },
): void {
  const outputs = get(body, 'structured_outputs');
  if (outputs === null) return;
  if (typeof outputs !== 'object' || Array.isArray(outputs)) {
    throw internalError(`'${pythonType(outputs)}' object has no attribute 'get'`);
  }
  const given = outputs as Body;
  const count = ['json', 'regex', 'choice'].filter((kind) => get(given, kind) !== null).length;
  if (count > 1) {
    throw badRequest(
      "You can only use one kind of constraints for structured outputs ('json', 'regex' or 'choice').",
      options.param,
    );
  }
  const { toolChoice = 'none' } = options;
  if (count > 0 && toolChoice !== 'none' && toolChoice !== 'auto' && toolChoice !== 'required') {
    throw badRequest(
      'You can only either use constraints for structured outputs or tools, not both.',
    );
  }
  const tag = get(given, 'structural_tag');
  if (tag !== null) checkTagText(tag, 'structured_outputs');
}

export function checkResponseFormatRaw(body: Body): void {
  const format = get(body, 'response_format');
  if (typeof format !== 'object' || format === null || Array.isArray(format)) return;
  const given = format as Body;
  if (given['type'] === 'json_schema' && get(given, 'json_schema') === null) {
    throw badRequest(
      "When response_format type is 'json_schema', the 'json_schema' field must be provided.",
      'response_format',
    );
  }
  if (given['type'] === 'structural_tag') checkTagFormat(given);
}

export function checkStreamOptions(body: Body): void {
  if (isTruthy(body['stream_options']) && !isTruthy(body['stream'])) {
    throw badRequest('Stream options can only be defined when `stream=True`.', 'stream_options');
  }
}

/** Checks the log probabilities of a chat request. */
export function checkChatLogprobs(body: Body): void {
  if (isTruthy(body['logprob_token_ids'])) {
    if (isTruthy(body['use_beam_search'])) throw noBeamLogprobs();
    if (!isTruthy(body['logprobs'])) {
      throw badRequest(
        'when using `logprob_token_ids`, `logprobs` must be set to true.',
        'logprob_token_ids',
      );
    }
  }
  checkNumbers(body, ['prompt_logprobs', 'top_logprobs']);
  checkPromptLogprobs(body);
  const top = number(get(body, 'top_logprobs'));
  if (top === null) return;
  if (top < 0 && top !== -1) {
    throw badRequest(
      '`top_logprobs` must be a positive value or -1.',
      'top_logprobs',
      pythonText(body['top_logprobs']),
    );
  }
  if ((top === -1 || top > 0) && !isTruthy(body['logprobs'])) {
    throw badRequest('when using `top_logprobs`, `logprobs` must be set to true.', 'top_logprobs');
  }
}

/** Checks the log probabilities of a completion request. */
export function checkCompletionLogprobs(body: Body): void {
  const byToken = isTruthy(body['logprob_token_ids']);
  const isBeam = isTruthy(body['use_beam_search']);
  const logprobs = get(body, 'logprobs');
  if (byToken && isBeam) throw noBeamLogprobs();
  if (isBeam && isTruthy(body['echo']) && logprobs !== null) {
    throw badRequest(
      '`echo` with `logprobs` is not supported with beam search because beam search does not compute prompt logprobs.',
      'echo',
    );
  }
  if (byToken && isTruthy(body['echo']) && number(get(body, 'max_tokens')) === 0) {
    throw badRequest(
      '`logprob_token_ids` is not supported when `echo=True` and `max_tokens=0` because no output tokens are generated.',
      'logprob_token_ids',
    );
  }
  if (byToken && logprobs === null) {
    throw badRequest(
      'when using `logprob_token_ids`, `logprobs` must be set.',
      'logprob_token_ids',
    );
  }
  checkNumbers(body, ['prompt_logprobs', 'logprobs']);
  checkPromptLogprobs(body);
  const top = number(logprobs);
  if (top !== null && top < 0 && top !== -1) {
    throw badRequest(
      '`logprobs` must be a positive value or -1.',
      'logprobs',
      pythonText(logprobs),
    );
  }
}

function noBeamLogprobs(): ApiError {
  return badRequest('`logprob_token_ids` is not supported with beam search.', 'logprob_token_ids');
}

function checkNumbers(body: Body, names: readonly string[]): void {
  for (const name of names) {
    const value = get(body, name);
    if (value === null || typeof value === 'number' || typeof value === 'boolean') continue;
    throw badRequest(`\`${name}\` must be an integer.`, name, pythonText(value));
  }
}

function checkPromptLogprobs(body: Body): void {
  const top = number(get(body, 'prompt_logprobs'));
  if (top === null) return;
  if (isTruthy(body['stream']) && (top > 0 || top === -1)) {
    throw badRequest('`prompt_logprobs` are not available when `stream=True`.', 'prompt_logprobs');
  }
  if (top < 0 && top !== -1) {
    throw badRequest(
      '`prompt_logprobs` must be a positive value or -1.',
      'prompt_logprobs',
      pythonText(body['prompt_logprobs']),
    );
  }
}

/** Booleans count as 0 and 1. */
function number(value: unknown): number | null {
  return typeof value === 'boolean' ? Number(value) : typeof value === 'number' ? value : null;
}

export function checkPromptGiven(body: Body): void {
  const prompt = get(body, 'prompt');
  const embeds = get(body, 'prompt_embeds');
  const isEmpty = prompt === null || prompt === '';
  if (isEmpty && (embeds === null || (Array.isArray(embeds) && embeds.length === 0))) {
    throw badRequest('Either prompt or prompt_embeds must be provided and non-empty.', 'prompt');
  }
}

/** vLLM's VLLM_MAX_COMPLETION_PROMPTS. */
const promptsMax = 1024;

export function checkPromptCount(body: Body): void {
  for (const name of ['prompt', 'prompt_embeds'] as const) {
    const value = get(body, name);
    if (!Array.isArray(value) || value.length <= promptsMax) continue;
    if (name === 'prompt' && value.every((one) => Number.isInteger(one))) continue;
    throw badRequest(
      `${name} list length ${value.length} exceeds the maximum allowed count of ${promptsMax}. To increase this limit, set the VLLM_MAX_COMPLETION_PROMPTS environment variable.`,
      name,
    );
  }
}

/**
 * Checks that the tool calls in messages can be iterated over; vLLM's check that renames their
 * fields fails otherwise.
 */
export function checkCallsRaw(body: Body): void {
  const messages = get(body, 'messages');
  if (!Array.isArray(messages)) return;
  for (const message of messages) {
    const calls = (Object(message) as Body)['tool_calls'] ?? null;
    if (calls !== null && !Array.isArray(message)) checkIterable(calls);
  }
}

/** vLLM's limit: a salt becomes part of file names. */
const cacheSaltLengthMax = 128;

/** @throws {ApiError} 400 if the salt is empty or could escape from a file name. */
export function checkCacheSalt(body: unknown): void {
  const salt = (body as { readonly cache_salt?: unknown } | null | undefined)?.cache_salt;
  if (salt == null) return;
  if (typeof salt !== 'string' || salt === '') {
    throw badRequest(
      "Parameter 'cache_salt' must be a non-empty string if provided.",
      'cache_salt',
    );
  }
  if ([...salt].length > cacheSaltLengthMax || /[@/\\\0]/.test(salt)) {
    throw badRequest(
      `Parameter 'cache_salt' must be at most ${cacheSaltLengthMax} characters and must not contain '@', '/', '\\\\', or NUL.`,
      'cache_salt',
    );
  }
}
