// The body of POST /v1/completions.
import { badRequest } from './api-error.ts';
import {
  checkStreaming,
  checkStructuredRaw,
  responseFormatField,
  streamOptionsField,
} from './chat-request.ts';
import { checkCacheSalt, checkTrusted, samplingFields, stopField } from './sampling.ts';
import {
  anything,
  boolean,
  dictionary,
  float,
  integer,
  list,
  type Read,
  readBody,
  string,
  union,
} from './schema.ts';

/** In the order in which vLLM tries them: token ids, batches of those, text, batches of text. */
const promptField = union(list(integer(0)), list(list(integer(0))), string, list(string));

const completionFields = {
  model: string,
  prompt: promptField,
  prompt_embeds: anything,
  echo: boolean,
  frequency_penalty: float,
  logit_bias: dictionary(float),
  logprobs: integer(),
  max_tokens: integer(),
  n: integer(),
  presence_penalty: float,
  seed: integer(-(2 ** 63), 2 ** 63 - 1),
  stop: stopField,
  stream: boolean,
  stream_options: streamOptionsField,
  suffix: string,
  temperature: float,
  top_p: float,
  user: string,
  add_special_tokens: boolean,
  return_token_offsets: boolean,
  response_format: responseFormatField,
  ...samplingFields,
} as const;

export type CompletionRequest = Read<typeof completionFields>;

/** One prompt: text to be tokenized, or tokens. */
export type Prompt = string | readonly number[];

/** @throws {ApiError} 400, by the schema first and then by the checks of the model itself. */
export function readCompletionRequest(body: unknown): CompletionRequest {
  checkCacheSalt(body);
  checkStructuredRaw(body);
  const request = readBody(body, completionFields);
  checkTrusted(request);
  checkOneConstraint(request.structured_outputs);
  checkStreaming(request);
  if (request.suffix) {
    throw badRequest('suffix is only supported for models with FIM completion rendering', 'suffix');
  }
  if (request.prompt_embeds != null) {
    throw badRequest(
      'You must set `--enable-prompt-embeds` to input `prompt_embeds`.',
      'prompt_embeds',
    );
  }
  const { logprobs } = request;
  if (logprobs != null && logprobs < 0) {
    throw badRequest('`logprobs` must be a positive value.', 'logprobs', `${logprobs}`);
  }
  if (request.prompt == null || request.prompt === '') {
    throw badRequest('Either prompt or prompt_embeds must be provided and non-empty.', 'prompt');
  }
  return request;
}

/** vLLM looks at this here before the sampler does, and names the field. */
function checkOneConstraint(outputs: unknown): void {
  const given = Object(outputs) as Readonly<Record<string, unknown>>;
  const kinds = ['json', 'regex', 'choice'].filter((kind) => given[kind] != null);
  if (kinds.length < 2) return;
  throw badRequest(
    "You can only use one kind of constraints for structured outputs ('json', 'regex' or 'choice').",
    'structured_outputs',
  );
}

/**
 * The prompts of a request, one per group of choices.
 *
 * @throws {ApiError} 400 if the list is empty.
 */
export function promptsOf(prompt: NonNullable<CompletionRequest['prompt']>): readonly Prompt[] {
  if (typeof prompt === 'string') return [prompt];
  if (prompt.length === 0) throw badRequest('You must pass at least one prompt');
  return typeof prompt[0] === 'number' ? [prompt as readonly number[]] : (prompt as Prompt[]);
}
