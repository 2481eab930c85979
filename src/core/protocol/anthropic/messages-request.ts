// The body of POST /v1/messages, with vLLM's additions to Anthropic's API.
import {
  anything,
  boolean,
  dictionary,
  float,
  type Issue,
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
  stringOf,
  union,
} from '../openai/schema.ts';

const blockField = object(
  {
    type: literal(
      'text',
      'image',
      'tool_use',
      'tool_result',
      'tool_reference',
      'thinking',
      'redacted_thinking',
      'tool_addition',
      'tool_removal',
    ),
    text: string,
    source: dictionary(anything),
    id: string,
    tool_use_id: string,
    name: string,
    input: dictionary(anything),
    content: union(string, list(dictionary(anything))),
    is_error: boolean,
    tool_name: string,
    thinking: string,
    signature: string,
    data: string,
    tool: dictionary(anything),
  },
  ['type'],
);

const toolField = object(
  {
    name: string,
    description: string,
    input_schema: dictionary(anything),
    strict: boolean,
    defer_loading: boolean,
  },
  ['name', 'input_schema'],
);

const modelField: Parser<string> = notNull((value, loc, issues) => {
  const model = string(value, loc, issues);
  if (model !== '') return model;
  issues.push(valueIssue('model', 'Model is required', ''));
  return undefined;
});

const sharedFields = {
  model: modelField,
  messages: list(
    object(
      { role: literal('user', 'assistant', 'system'), content: union(string, list(blockField)) },
      ['role', 'content'],
    ),
  ),
} as const;

const thinkingFields = object({
  budget_tokens: integer(1024),
  display: literal('summarized', 'omitted', 'updates'),
});

/** Its type is a tag: Pydantic reports the fields under it. */
const thinkingField: Parser<{
  readonly type: string;
  readonly budget_tokens?: number | null | undefined;
}> = (value, loc, issues) => {
  const type = (value as { type?: unknown } | null)?.type;
  if (type !== 'enabled' && type !== 'disabled' && type !== 'adaptive') {
    const msg = `Input tag '${String(type)}' found using 'type' does not match any of the expected tags: 'enabled', 'disabled', 'adaptive'`;
    issues.push({ type: 'union_tag_invalid', loc, msg, input: value });
    return undefined;
  }
  const read = thinkingFields(value, `${loc}.${type}`, issues);
  return read && { ...read, type };
};

const contextFields = {
  output_config: object({
    effort: literal('low', 'medium', 'high', 'xhigh', 'max'),
    format: object({ schema: dictionary(anything), type: literal('json_schema') }),
  }),
  thinking: thinkingField,
  system: union(string, list(blockField)),
  tool_choice: object(
    {
      type: literal('auto', 'any', 'tool', 'none'),
      name: string,
      disable_parallel_tool_use: boolean,
    },
    ['type'],
  ),
  tools: list(toolField),
  chat_template_kwargs: dictionary(anything),
} as const;

/** POST /v1/messages/count_tokens reads only what makes the prompt. */
const countFields = { ...sharedFields, ...contextFields } as const;

const positive: Parser<number> = notNull((value, loc, issues) => {
  const number = integer()(value, loc, issues);
  if (number === undefined || number > 0) return number;
  issues.push(valueIssue('max_tokens', 'max_tokens must be positive', number));
  return undefined;
});

/** In vLLM's order, which is that of the error report. */
const messagesFields = {
  ...sharedFields,
  max_tokens: positive,
  metadata: dictionary(anything),
  output_config: contextFields.output_config,
  thinking: contextFields.thinking,
  stop_sequences: list(string),
  stream: boolean,
  system: contextFields.system,
  temperature: float,
  tool_choice: contextFields.tool_choice,
  tools: contextFields.tools,
  top_k: integer(),
  top_p: float,
  cache_salt: stringOf(1),
  kv_transfer_params: dictionary(anything),
  vllm_xargs: dictionary(anything),
  chat_template_kwargs: contextFields.chat_template_kwargs,
} as const;

export type MessagesRequest = Read<typeof messagesFields>;
export type CountTokensRequest = Read<typeof countFields>;
export type MessageBlock = Exclude<
  NonNullable<NonNullable<MessagesRequest['messages']>[number]['content']>,
  string
>[number];
export type MessagesTool = NonNullable<MessagesRequest['tools']>[number];

/** vLLM's VLLM_MAX_STOP_STRINGS. */
const stopSequencesMax = 4;

/** @throws {ApiError} 400, in OpenAI's form: the schema is checked before Anthropic's handler. */
export function readMessagesRequest(body: unknown): MessagesRequest {
  const request = readBody(body, messagesFields, ['model', 'messages', 'max_tokens']);
  const issues = sharedIssues(request);
  const { max_tokens: maxTokens, stop_sequences: stops, thinking } = request;
  if (stops != null && stops.length > stopSequencesMax) {
    issues.push({
      type: 'too_long',
      loc: 'body.stop_sequences',
      msg: `List should have at most ${stopSequencesMax} items after validation, not ${stops.length}`,
      input: stops,
    });
  }
  const budget = thinking?.type === 'enabled' ? thinking.budget_tokens : undefined;
  if (budget != null && maxTokens != null && budget >= maxTokens) {
    issues.push(valueIssue('', 'thinking.budget_tokens must be less than max_tokens', body));
  }
  if (issues.length > 0) throw schemaError(issues);
  return request;
}

/** @throws {ApiError} As `readMessagesRequest`. */
export function readCountTokensRequest(body: unknown): CountTokensRequest {
  const request = readBody(body, countFields, ['model', 'messages']);
  const issues = sharedIssues(request);
  if (issues.length > 0) throw schemaError(issues);
  return request;
}

/** What Pydantic's validators of vLLM's models refuse beyond types. */
function sharedIssues(request: CountTokensRequest): Issue[] {
  const issues: Issue[] = [];
  const { messages, tool_choice: choice, thinking } = request;
  messages?.forEach(({ role, content }, i) => {
    if (role === 'system' || typeof content === 'string') return;
    const change = content?.find(({ type }) => type === 'tool_addition' || type === 'tool_removal');
    if (!change) return;
    const text = `${change.type} blocks are only allowed in messages with role "system"`;
    issues.push(valueIssue(`messages.${i}`, text, messages[i]));
  });
  if (choice?.type === 'tool' && !choice.name) {
    const text = "tool_choice.name is required when type is 'tool'";
    issues.push(valueIssue('tool_choice', text, choice));
  }
  if (thinking?.type === 'enabled' && thinking.budget_tokens == null) {
    const loc = 'body.thinking.enabled.budget_tokens';
    issues.push({ type: 'missing', loc, msg: 'Field required', input: thinking });
  }
  return issues;
}

function valueIssue(field: string, text: string, input: unknown): Issue {
  const loc = field === '' ? 'body' : `body.${field}`;
  const ctx = `{'error': ValueError(${JSON.stringify(text)})}`;
  return { type: 'value_error', loc, msg: `Value error, ${text}`, input, ctx };
}
