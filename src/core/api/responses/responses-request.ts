// The body of POST /v1/responses.
import { badRequest } from '../openai/api-error.ts';
import { stopField, topLogprobsField, transferFieldsOfBoth } from '../openai/generation-fields.ts';
import { pythonType } from '../openai/python-repr.ts';
import { checkCacheSalt } from '../openai/raw-checks.ts';
import {
  anything,
  boolean,
  boundedFloat,
  dictionary,
  float,
  type Issue,
  integer,
  integer64,
  list,
  literal,
  notNull,
  object,
  type Parser,
  type Read,
  readBody,
  string,
} from '../openai/schema.ts';
import { structuredOutputsField } from '../openai/structured-outputs.ts';
import { isInputItem } from './input-items.ts';
import { responseToolField } from './tools.ts';

const penalty = boundedFloat(-2, 2);

/**
 * A response format; one that matches no type is reported with the issues of the first, as in
 * Pydantic.
 */
const textFormat: Parser<Readonly<Record<string, unknown>>> = (value, loc, issues) => {
  const format = dictionary(anything)(value, loc, issues);
  if (format === undefined || format['type'] === 'text' || format['type'] === 'json_object') {
    return format;
  }
  const isSchema = format['type'] === 'json_schema';
  if (isSchema && typeof format['name'] === 'string' && 'schema' in format) return format;
  literal('text')(format['type'], `${loc}.ResponseFormatText.type`, issues);
  const missing = ['name', 'schema'].filter((name) => !(name in format));
  for (const name of missing) {
    const at = `${loc}.ResponseFormatTextJSONSchemaConfig.${name}`;
    issues.push({ type: 'missing', loc: at, msg: 'Field required', input: value });
  }
  return undefined;
};

const responsesFields = {
  background: boolean,
  include: list(
    literal(
      'code_interpreter_call.outputs',
      'computer_call_output.output.image_url',
      'file_search_call.results',
      'message.input_image.image_url',
      'message.output_text.logprobs',
      'reasoning.encrypted_content',
    ),
  ),
  input: notNull(inputField),
  instructions: string,
  max_output_tokens: integer(),
  max_tool_calls: integer(),
  metadata: dictionary(string),
  model: string,
  logit_bias: dictionary(float),
  parallel_tool_calls: boolean,
  previous_response_id: string,
  reasoning: object({
    context: anything,
    effort: literal('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'),
    generate_summary: string,
    mode: anything,
    summary: string,
  }),
  include_reasoning: notNull(boolean),
  service_tier: notNull(literal('auto', 'default', 'flex', 'scale', 'priority')),
  store: boolean,
  stream: boolean,
  temperature: float,
  text: object({ format: textFormat, verbosity: literal('low', 'medium', 'high') }),
  tool_choice: notNull(toolChoiceField),
  tools: notNull(list(responseToolField)),
  top_logprobs: topLogprobsField,
  top_p: float,
  top_k: integer(),
  min_p: float,
  truncation: literal('auto', 'disabled'),
  user: string,
  skip_special_tokens: notNull(boolean),
  include_stop_str_in_output: notNull(boolean),
  presence_penalty: penalty,
  frequency_penalty: penalty,
  prompt_cache_key: string,
  watermarking: boolean,
  request_id: notNull(string),
  session_id: string,
  media_io_kwargs: dictionary(dictionary(anything)),
  mm_processor_kwargs: dictionary(anything),
  priority: notNull(integer64),
  mm_payload: transferFieldsOfBoth.mm_payload,
  return_mm_kwargs: boolean,
  cache_salt: string,
  enable_response_messages: notNull(boolean),
  structured_outputs: structuredOutputsField,
  repetition_penalty: float,
  seed: integer64,
  stop: stopField,
  stop_token_ids: list(notNull(integer())),
  ignore_eos: notNull(boolean),
  vllm_xargs: transferFieldsOfBoth.vllm_xargs,
  kv_transfer_params: dictionary(anything),
  ec_transfer_params: dictionary(anything),
  chat_template_kwargs: dictionary(anything),
} as const;

export type ResponsesRequest = Read<typeof responsesFields>;

/** @throws {ApiError} 400, from the model's own checks or else from the schema. */
export function readResponsesRequest(body: unknown): ResponsesRequest {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) {
    checkRaw(body as Readonly<Record<string, unknown>>);
  }
  checkCacheSalt(body);
  const request = readBody(body, responsesFields, ['input']);
  if (request.text?.format != null && request.structured_outputs != null) {
    throw badRequest(
      'Cannot specify both structured_outputs and text.format',
      'structured_outputs',
    );
  }
  const hasTools = (request.tools?.length ?? 0) > 0;
  return hasTools ? request : { ...request, tool_choice: 'none' };
}

/**
 * Text, or items. An item that matches no type of OpenAI's package is first reported as not being
 * text.
 */
function inputField(
  value: unknown,
  loc: string,
  issues: Issue[],
): string | readonly Readonly<Record<string, unknown>>[] | undefined {
  if (typeof value === 'string') return value;
  // Python iterates over the keys of an object.
  const items: unknown = isDictionary(value) ? Object.keys(value) : value;
  if (Array.isArray(items) && items.every(isInputItem)) return items;
  string(value, loc, issues);
  list(dictionary(anything))(items, loc, issues);
  return undefined;
}

function isDictionary(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Types of a tool choice without further fields, and those that need one more. */
const plainChoices =
  /^(file_search|web_search_preview|computer|computer_use_preview|computer_use|web_search_preview_2025_03_11|image_generation|code_interpreter|apply_patch|shell|programmatic_tool_calling)$/;
const namedChoices: Readonly<Record<string, string>> = {
  function: 'name',
  custom: 'name',
  mcp: 'server_label',
};

function toolChoiceField(
  value: unknown,
  loc: string,
  issues: Issue[],
): 'none' | 'auto' | 'required' | Readonly<Record<string, unknown>> | undefined {
  if (!isDictionary(value)) return literal('none', 'auto', 'required')(value, loc, issues);
  const { type } = value;
  const field = namedChoices[String(type)];
  const isAllowed =
    type === 'allowed_tools' &&
    (value['mode'] === 'auto' || value['mode'] === 'required') &&
    Array.isArray(value['tools']);
  const isNamed = field !== undefined && typeof value[field] === 'string';
  if (isAllowed || isNamed || plainChoices.test(String(type))) return value;
  literal('none', 'auto', 'required')(value, loc, issues);
  return undefined;
}

/** Runs the checks of vLLM's models that come before Pydantic's. */
function checkRaw(body: Readonly<Record<string, unknown>>): void {
  const { tools, tool_choice: choice = 'auto' } = body;
  const named = (choice as { type?: unknown; name?: unknown } | null) ?? {};
  const isNamed = named.type === 'function' || named.type === 'custom';
  if (typeof tools === 'number' || typeof tools === 'boolean') {
    throw badRequest(`object of type '${pythonType(tools)}' has no len()`);
  }
  const has = Array.isArray(tools) && tools.length > 0;
  if (!has && choice === 'required') {
    throw badRequest(
      "Tool choice 'required' must be specified with 'tools' parameter.",
      'tool_choice',
    );
  }
  const names = has ? tools.map((tool) => (tool as { name?: unknown } | null)?.name) : [];
  if (isNamed && !names.includes(named.name)) {
    throw badRequest("Tool choice 'function' not found in 'tools' parameter.", 'tool_choice');
  }
  for (const tool of has ? tools : []) {
    const { type, format } = Object(tool) as Readonly<Record<string, unknown>>;
    if (type !== 'custom' || (Object(format) as { type?: unknown }).type !== 'grammar') continue;
    throw badRequest(
      'Custom tools with a grammar format are not supported; only free-form text custom tools are accepted.',
      'tools',
    );
  }
  if (body['prompt'] != null) throw badRequest('prompt template is not supported', 'prompt');
  if (body['background'] && body['store'] === false) {
    throw badRequest('background can only be used when `store` is true', 'background');
  }
}
