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
  object,
  type Read,
  readBody,
  schemaError,
  string,
  union,
} from '../openai/schema.ts';

const penalty = boundedFloat(-2, 2);

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
  text: object({ format: dictionary(anything), verbosity: literal('low', 'medium', 'high') }),
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
  ignore_eos: boolean,
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

const itemTypes = /^(message|function_call|function_call_output|reasoning|custom_tool_call.*)$/;

/** Items and tools that no type of OpenAI's package fits. */
function checkItems({ input, tools }: ResponsesRequest): void {
  const items = typeof input === 'string' ? [] : (input ?? []);
  const bad = items.some(({ type, role }) =>
    type === undefined ? role === undefined : !itemTypes.test(String(type)),
  );
  if (bad) {
    const msg = 'Input should be a valid string';
    throw schemaError([{ type: 'string_type', loc: 'body.input', msg, input }]);
  }
  tools?.forEach((tool, i) => {
    if (tool['type'] !== 'function' || typeof tool['name'] === 'string') return;
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
