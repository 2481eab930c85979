// The body of POST /v1/responses.
import { badRequest } from '../openai/api-error.ts';
import { stopField } from '../openai/generation-fields.ts';
import { checkCacheSalt } from '../openai/raw-checks.ts';
import {
  anything,
  boolean,
  boundedFloat,
  dictionary,
  float,
  integer,
  list,
  literal,
  notNull,
  object,
  type Parser,
  type Read,
  readBody,
  schemaError,
  string,
  union,
} from '../openai/schema.ts';

const penalty = boundedFloat(-2, 2);

/** A format of answers; one that is none of them is reported as failing the first, as Pydantic does. */
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
  input: union(string, list(dictionary(anything))),
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
  include_reasoning: boolean,
  service_tier: literal('auto', 'default', 'flex', 'scale', 'priority'),
  store: boolean,
  stream: boolean,
  temperature: float,
  text: object({ format: textFormat, verbosity: literal('low', 'medium', 'high') }),
  tool_choice: union(literal('none', 'auto', 'required'), dictionary(anything)),
  tools: list(dictionary(anything)),
  top_logprobs: integer(),
  top_p: float,
  top_k: integer(),
  min_p: float,
  truncation: literal('auto', 'disabled'),
  user: string,
  skip_special_tokens: boolean,
  include_stop_str_in_output: boolean,
  presence_penalty: penalty,
  frequency_penalty: penalty,
  request_id: string,
  session_id: string,
  priority: integer(),
  cache_salt: string,
  enable_response_messages: boolean,
  structured_outputs: anything,
  repetition_penalty: float,
  seed: integer(),
  stop: stopField,
  stop_token_ids: list(integer()),
  ignore_eos: notNull(boolean),
  mm_processor_kwargs: dictionary(anything),
  kv_transfer_params: dictionary(anything),
  ec_transfer_params: dictionary(anything),
  vllm_xargs: dictionary(anything),
  chat_template_kwargs: dictionary(anything),
} as const;

export type ResponsesRequest = Read<typeof responsesFields>;

/** @throws {ApiError} 400, by the model's own checks first and then by the schema. */
export function readResponsesRequest(body: unknown): ResponsesRequest {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) {
    checkRaw(body as Readonly<Record<string, unknown>>);
  }
  checkCacheSalt(body);
  const request = readBody(body, responsesFields, ['input']);
  checkItems(request);
  if (request.text?.format != null && request.structured_outputs != null) {
    throw badRequest(
      'Cannot specify both structured_outputs and text.format',
      'structured_outputs',
    );
  }
  const hasTools = (request.tools?.length ?? 0) > 0;
  return hasTools ? request : { ...request, tool_choice: 'none' };
}

/** Tools that OpenAI would run itself; vLLM takes and ignores them without a tool server. */
const hostedTools =
  /^(file_search|web_search|web_search_preview)(_\d{4}_\d\d_\d\d)?$|^(computer_use_preview|computer|mcp|code_interpreter|image_generation|local_shell|shell|custom|apply_patch|namespace|tool_search)$/;

const itemTypes = /^(message|function_call|function_call_output|reasoning|custom_tool_call.*)$/;

const roles: ReadonlySet<unknown> = new Set(['user', 'assistant', 'system', 'developer']);
const inputParts: ReadonlySet<unknown> = new Set(['input_text', 'input_image', 'input_file']);
const outputParts: ReadonlySet<unknown> = new Set(['output_text', 'refusal']);

/** Whether one of OpenAI's item types fits. */
function isItem(item: Readonly<Record<string, unknown>>): boolean {
  const { type, role, content } = item;
  if (type !== undefined && type !== 'message') return itemTypes.test(String(type));
  if (!roles.has(role)) return false;
  if (typeof content === 'string') return true;
  if (!Array.isArray(content)) return false;
  const types = content.map((part: { readonly type?: unknown } | null) => part?.type);
  // What the model said before comes back whole, with its id and status.
  const isOutput = role === 'assistant' && typeof item['id'] === 'string' && 'status' in item;
  return types.every((one) => (isOutput ? outputParts : inputParts).has(one));
}

/** Items and tools that no type of OpenAI's package fits. */
function checkItems({ input, tools }: ResponsesRequest): void {
  const items = typeof input === 'string' ? [] : (input ?? []);
  if (items.some(({ type }) => type === 'item_reference')) {
    throw badRequest('Unsupported input item type: item_reference', 'input');
  }
  const bad = items.some((item) => !isItem(item));
  if (bad) {
    const msg = 'Input should be a valid string';
    throw schemaError([{ type: 'string_type', loc: 'body.input', msg, input }]);
  }
  tools?.forEach((tool, i) => {
    const isFunction = tool['type'] === 'function';
    if (!isFunction && hostedTools.test(String(tool['type']))) return;
    if (isFunction && typeof tool['name'] === 'string') return;
    const loc = `body.tools.${i}.FunctionTool.name`;
    throw schemaError([{ type: 'missing', loc, msg: 'Field required', input: tool }]);
  });
}

/** What vLLM's models look at before Pydantic reads the fields. */
function checkRaw(body: Readonly<Record<string, unknown>>): void {
  const { tools, tool_choice: choice = 'auto' } = body;
  const named = (choice as { type?: unknown; name?: unknown } | null) ?? {};
  const isNamed = named.type === 'function' || named.type === 'custom';
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
  if (body['prompt'] != null) throw badRequest('prompt template is not supported', 'prompt');
  if (body['background'] && body['store'] === false) {
    throw badRequest('background can only be used when `store` is true', 'background');
  }
}
