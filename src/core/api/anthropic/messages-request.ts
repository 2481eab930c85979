// The body of POST /v1/messages, with vLLM's additions to Anthropic's API.
import { transferFieldsOfBoth } from '../openai/generation-fields.ts';
import {
  after,
  anything,
  boolean,
  dictionary,
  float,
  integer,
  list,
  literal,
  notNull,
  object,
  type Parser,
  readBody,
  string,
  stringOf,
  tagged,
  union,
} from '../openai/schema.ts';

const toolField = object(
  {
    name: notNull(string),
    description: string,
    input_schema: notNull(dictionary(anything)),
    strict: boolean,
    defer_loading: boolean,
  },
  ['name', 'input_schema'],
);

/** A tool that is added or removed during the conversation. */
const toolChangeField = tagged({
  tool_reference: object({ type: string, name: notNull(string) }, ['name']),
  tool_definition: object({ type: string, definition: notNull(toolField) }, ['definition']),
});

const blockField = after(
  object(
    {
      type: notNull(
        literal(
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
      tool: toolChangeField as Parser<Readonly<Record<string, unknown>>>,
    },
    ['type'],
  ),
  ({ type, tool }) => {
    if (!isToolChange(type)) return undefined;
    if (tool == null) return `tool is required for ${type} blocks`;
    return type === 'tool_removal' && tool['type'] !== 'tool_reference'
      ? 'tool_removal only accepts a tool_reference'
      : undefined;
  },
);

function isToolChange(type: string | null | undefined): boolean {
  return type === 'tool_addition' || type === 'tool_removal';
}

const contentField = union(string, list(blockField));
type Content = NonNullable<ReturnType<typeof contentField>>;

/** Only system messages may add or remove tools. */
function toolChangeFault(content: Content | null | undefined): string | undefined {
  const blocks = typeof content === 'object' && content !== null ? content : [];
  const change = blocks.find(({ type }) => isToolChange(type));
  if (change === undefined) return undefined;
  return `${change.type} blocks are only allowed in messages with role "system"`;
}

const messageField = after(
  object(
    { role: notNull(literal('user', 'assistant', 'system')), content: notNull(contentField) },
    ['role', 'content'],
  ),
  ({ role, content }) => (role === 'system' ? undefined : toolChangeFault(content)),
);

const modelField = after(notNull(string), (model) =>
  model === '' ? 'Model is required' : undefined,
);

const displayField = literal('summarized', 'omitted', 'updates');

const thinkingField = tagged({
  enabled: object({ type: string, budget_tokens: notNull(integer(1024)), display: displayField }, [
    'budget_tokens',
  ]),
  disabled: object({ type: string }),
  adaptive: object({ type: string, display: displayField }),
}) as Parser<{
  readonly type?: string | null | undefined;
  readonly budget_tokens?: number | null | undefined;
}>;

const toolChoiceField = after(
  object(
    {
      type: notNull(literal('auto', 'any', 'tool', 'none')),
      name: string,
      disable_parallel_tool_use: boolean,
    },
    ['type'],
  ),
  ({ type, name }) =>
    type === 'tool' && !name ? "tool_choice.name is required when type is 'tool'" : undefined,
);

const outputField = object({
  effort: literal('low', 'medium', 'high', 'xhigh', 'max'),
  format: object({ schema: dictionary(anything), type: notNull(literal('json_schema')) }),
});

const systemField = after(contentField, toolChangeFault);

/** POST /v1/messages/count_tokens reads only the fields that affect the prompt. */
const countFields = {
  model: modelField,
  messages: notNull(list(messageField)),
  output_config: outputField,
  system: systemField,
  thinking: thinkingField,
  tool_choice: toolChoiceField,
  tools: list(toolField),
  chat_template_kwargs: dictionary(anything),
} as const;

/** vLLM's VLLM_MAX_STOP_STRINGS. */
const stopSequencesMax = 4;

/** In vLLM's order, which is the order of the error report. */
const messagesFields = {
  model: modelField,
  messages: notNull(list(messageField)),
  max_tokens: after(notNull(integer()), (count) =>
    count <= 0 ? 'max_tokens must be positive' : undefined,
  ),
  metadata: dictionary(anything),
  output_config: outputField,
  thinking: thinkingField,
  stop_sequences: list(string, { most: stopSequencesMax }),
  stream: boolean,
  system: systemField,
  temperature: float,
  tool_choice: toolChoiceField,
  tools: list(toolField),
  top_k: integer(),
  top_p: float,
  mm_payload: transferFieldsOfBoth.mm_payload,
  return_mm_kwargs: boolean,
  cache_salt: stringOf(1, 1024),
  watermarking: boolean,
  kv_transfer_params: dictionary(anything),
  ec_transfer_params: dictionary(anything),
  vllm_xargs: transferFieldsOfBoth.vllm_xargs,
  chat_template_kwargs: dictionary(anything),
} as const;

const messagesObject = after(
  object(messagesFields, ['model', 'messages', 'max_tokens']),
  ({ thinking, max_tokens: maxTokens, kv_transfer_params: transfer }) => {
    if (transfer?.['do_remote_decode']) return undefined;
    const budget = thinking?.type === 'enabled' ? thinking.budget_tokens : undefined;
    return budget != null && maxTokens != null && budget >= maxTokens
      ? 'thinking.budget_tokens must be less than max_tokens'
      : undefined;
  },
);
const countObject = object(countFields, ['model', 'messages']);

type Parsed<P> = P extends Parser<infer T> ? T : never;
export type MessagesRequest = Parsed<typeof messagesObject>;
export type CountTokensRequest = Parsed<typeof countObject>;
export type MessageBlock = Exclude<Content, string>[number];
export type MessagesTool = NonNullable<MessagesRequest['tools']>[number];

/** @throws {ApiError} 400, in OpenAI's format: the schema is checked before Anthropic's handler. */
export function readMessagesRequest(body: unknown): MessagesRequest {
  return readBody(body, messagesObject);
}

/** @throws {ApiError} Like `readMessagesRequest`. */
export function readCountTokensRequest(body: unknown): CountTokensRequest {
  return readBody(body, countObject);
}
