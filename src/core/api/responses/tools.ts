// The tools of a response, as the types of OpenAI's package read them. vLLM also accepts those that
// OpenAI would run itself, and returns all of them in its response, with the omitted fields.
import { withoutUndefined } from '../../base/index.ts';
import {
  anything,
  boolean,
  dictionary,
  type Issue,
  integer,
  list,
  literal,
  notNull,
  object,
  type Parser,
  string,
  union,
} from '../openai/schema.ts';

export type ResponseTool = Readonly<Record<string, unknown>>;

const some = dictionary(anything);
const callers = list(literal('direct', 'programmatic'));
const contextSize = literal('low', 'medium', 'high');

interface ToolType {
  readonly required?: Readonly<Record<string, Parser<unknown>>>;
  readonly optional?: Readonly<Record<string, Parser<unknown>>>;
}

const webSearchPreview: ToolType = {
  optional: {
    search_content_types: list(literal('text', 'image')),
    search_context_size: contextSize,
    user_location: some,
  },
};
const webSearch: ToolType = {
  optional: {
    external_web_access: boolean,
    filters: some,
    search_context_size: contextSize,
    user_location: some,
  },
};

const functionTool: ToolType = {
  required: { name: notNull(string) },
  optional: {
    parameters: some,
    strict: boolean,
    allowed_callers: callers,
    async: boolean,
    defer_loading: boolean,
    description: string,
    output_schema: some,
  },
};

const customTool: ToolType = {
  required: { name: notNull(string) },
  optional: {
    allowed_callers: callers,
    async: boolean,
    defer_loading: boolean,
    description: string,
    format: some,
  },
};

/** Fields that are null if omitted. @see openai/types/responses/tool.py */
const types: Readonly<Record<string, ToolType>> = {
  function: functionTool,
  custom: customTool,
  web_search: webSearch,
  web_search_2025_08_26: webSearch,
  web_search_preview: webSearchPreview,
  web_search_preview_2025_03_11: webSearchPreview,
  file_search: {
    required: { vector_store_ids: notNull(list(notNull(string))) },
    optional: { filters: some, max_num_results: integer(), ranking_options: some },
  },
  computer: {},
  computer_use_preview: {
    required: {
      display_height: notNull(integer()),
      display_width: notNull(integer()),
      environment: notNull(literal('windows', 'mac', 'linux', 'ubuntu', 'browser')),
    },
  },
  mcp: {
    required: { server_label: notNull(string) },
    optional: {
      allowed_callers: callers,
      allowed_tools: union(list(notNull(string)), some),
      authorization: string,
      connector_id: string,
      defer_loading: boolean,
      headers: dictionary(notNull(string)),
      require_approval: union(some, literal('always', 'never')),
      server_description: string,
      server_url: string,
      tunnel_id: string,
    },
  },
  code_interpreter: {
    required: { container: notNull(union(string, containerField)) },
    optional: { allowed_callers: callers },
  },
  programmatic_tool_calling: {},
  image_generation: {
    optional: {
      action: literal('generate', 'edit', 'auto'),
      background: literal('transparent', 'opaque', 'auto'),
      complexity: contextSize,
      frame_count: integer(),
      frame_duration_ms: integer(),
      input_fidelity: literal('high', 'low'),
      input_image_mask: some,
      model: string,
      moderation: literal('auto', 'low'),
      output_compression: integer(),
      output_format: literal('png', 'webp', 'jpeg', 'gif', 'svg'),
      partial_images: integer(),
      quality: literal('low', 'medium', 'high', 'xhigh', 'max', 'auto'),
      size: string,
      svg: some,
    },
  },
  local_shell: {},
  shell: { optional: { allowed_callers: callers, environment: some } },
  namespace: {
    required: {
      description: notNull(string),
      name: notNull(string),
      tools: notNull(list(namespacedTool)),
    },
  },
  tool_search: {
    optional: {
      description: string,
      execution: literal('server', 'client'),
      parameters: anything,
    },
  },
  apply_patch: { optional: { allowed_callers: callers } },
};

/** A tool; one that matches no type is first reported as a function, as in Pydantic. */
export const responseToolField: Parser<ResponseTool> = (value, loc, issues) => {
  const given = some(value, `${loc}.FunctionTool`, issues);
  if (given === undefined) return undefined;
  const name = String(given['type']);
  const type = Object.hasOwn(types, name) ? types[name] : undefined;
  const own: Issue[] = [];
  const read = type && readTool(type, given, { loc, issues: own });
  if (read !== undefined && own.length === 0) return read;
  readTool(functionTool, given, { loc: `${loc}.FunctionTool`, issues });
  literal('function')(given['type'], `${loc}.FunctionTool.type`, issues);
  return undefined;
};

/**
 * @returns The tool with null for omitted fields; fields that its type does not define are kept.
 */
function readTool(
  { required = {}, optional = {} }: ToolType,
  given: ResponseTool,
  { loc, issues }: { readonly loc: string; readonly issues: Issue[] },
): ResponseTool | undefined {
  const read = object({ ...required, ...optional }, Object.keys(required))(given, loc, issues);
  if (read === undefined) return undefined;
  const left = Object.keys(optional).map((name) => [name, null]);
  return { ...Object.fromEntries(left), ...given, ...withoutUndefined(read) };
}

/** A container that is created for the response. */
function containerField(value: unknown, loc: string, issues: Issue[]): ResponseTool | undefined {
  const given = some(value, loc, issues);
  if (given === undefined) return undefined;
  literal('auto')(given['type'], `${loc}.type`, issues);
  return { file_ids: null, memory_limit: null, network_policy: null, ...given };
}

/** A function or custom tool within a namespace. */
function namespacedTool(value: unknown, loc: string, issues: Issue[]): ResponseTool | undefined {
  const given = some(value, loc, issues);
  if (given === undefined) return undefined;
  const type = given['type'] === 'custom' ? customTool : functionTool;
  return readTool(type, given, { loc, issues });
}
