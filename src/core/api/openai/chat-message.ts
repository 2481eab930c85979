// Reads a message of a chat request as Pydantic reads vLLM's union of message types.
// OpenAI's own types, one per role, check the parts of a content list later: an invalid part is
// reported when the prompt is rendered. vLLM's wider type for any role checks them at once. Of the
// types that match, the one that reads the most fields wins, the first one in a tie. Unknown fields
// are kept.
import { type ApiError, badRequest } from './api-error.ts';
import { type CustomPart, customPart, nativePartFault, type PartFault } from './chat-part.ts';
import {
  type Issue,
  iterable,
  literal,
  notNull,
  nullable,
  object,
  type Parser,
  pydanticReport,
  string,
  typedDict,
  union,
} from './schema.ts';

/** A message as the client sent it. */
export type ChatMessage = Readonly<Record<string, unknown>>;

const faults = new WeakMap<ChatMessage, PartFault>();

/** Returns the fault in the parts of a parsed message; found only when it is rendered. */
export function contentFault(message: ChatMessage): PartFault | undefined {
  return faults.get(message);
}

/** Returns the faults in the tool calls of a parsed message; found when the request is complete. */
export function callIssues(message: ChatMessage, loc: string): readonly Issue[] {
  const { tool_calls: given } = message;
  const calls = callsOf(given);
  for (const [i, call] of calls.entries()) {
    const own: Issue[] = [];
    functionCall(call, `${loc}.${i}.ChatCompletionMessageFunctionToolCallParam`, own);
    const other: Issue[] = [];
    if (own.length > 0) {
      customCall(call, `${loc}.${i}.ChatCompletionMessageCustomToolCallParam`, other);
    }
    if (own.length > 0 && other.length > 0) return [...own, ...other];
  }
  return [];
}

/** Python iterates over the characters of a text and the keys of an object. */
export function callsOf(given: unknown): readonly unknown[] {
  if (Array.isArray(given)) return given;
  if (typeof given === 'string') return [...given];
  return typeof given === 'object' && given !== null ? Object.keys(given) : [];
}

/** Returns the fault of a message whose tool calls have objects as arguments, if any. */
export function parsedCallsFault(message: ChatMessage): ApiError | undefined {
  const { role, tool_calls: calls } = message;
  if (role !== 'assistant' || !Array.isArray(calls) || calls.length === 0) return undefined;
  const parsed = calls.map((call: { readonly function?: { readonly arguments?: unknown } }) => ({
    ...call,
    function: { ...call.function, arguments: argumentsObject(call.function?.arguments) },
  }));
  const issues = callIssues({ ...message, tool_calls: parsed }, '');
  const placed = issues.map((issue) => ({ ...issue, loc: issue.loc.replace(/^\./, '') }));
  return badRequest(pydanticReport('ChatCompletionRequest', placed));
}

/** Arguments that are not a JSON object count as empty. */
export function argumentsObject(given: unknown): object {
  const read = typeof given === 'string' && given !== '' ? parsedJson(given) : given;
  return typeof read === 'object' && read !== null && !Array.isArray(read) ? read : {};
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const functionCall = typedDict(
  {
    id: notNull(string),
    function: notNull(
      typedDict({ arguments: notNull(string), name: notNull(string) }, ['arguments', 'name']),
    ),
    type: notNull(literal('function')),
  },
  ['id', 'function', 'type'],
);

const customCall = typedDict(
  {
    id: notNull(string),
    custom: notNull(
      typedDict({ input: notNull(string), name: notNull(string) }, ['input', 'name']),
    ),
    type: notNull(literal('custom')),
  },
  ['id', 'custom', 'type'],
);

/** Text, or anything that Python can iterate over. */
const lazyContent = notNull(union(string, iterable));

const anyContent: Parser<unknown> = (value, loc, issues) => {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) {
    string(value, loc, issues);
    issues.push({ type: 'list_type', loc, msg: 'Input should be a valid list', input: value });
    return undefined;
  }
  const parts = value.map(customPart);
  if (!parts.includes(undefined)) return parts;
  string(value, loc, issues);
  for (const [i, part] of parts.entries()) {
    // One issue for each of the part types; the response never shows any of them.
    for (let type = 0; part === undefined && type < partTypes; type++) {
      const msg = 'Input should be a valid dictionary';
      issues.push({ type: 'dict_type', loc: `${loc}.${i}`, msg, input: value[i] });
    }
  }
  return undefined;
};

/** Number of part types of vLLM's own message type. */
const partTypes = 18;

const roleTypes = {
  developer: typed('Developer', { content: lazyContent, role: role('developer') }),
  system: typed('System', { content: lazyContent, role: role('system') }),
  user: typed('User', { content: lazyContent, role: role('user') }),
  assistant: [
    'ChatCompletionAssistantMessageParam',
    typedDict(
      {
        role: role('assistant'),
        audio: typedDict({ id: notNull(string) }, ['id']),
        content: union(string, iterable),
        function_call: typedDict({ arguments: notNull(string), name: notNull(string) }, [
          'arguments',
          'name',
        ]),
        name: notNull(string),
        refusal: string,
        tool_calls: notNull(iterable),
      },
      ['role'],
    ),
  ],
  tool: [
    'ChatCompletionToolMessageParam',
    typedDict({ content: lazyContent, role: role('tool'), tool_call_id: notNull(string) }, [
      'content',
      'role',
      'tool_call_id',
    ]),
  ],
  function: [
    'ChatCompletionFunctionMessageParam',
    typedDict({ content: nullable(string), name: notNull(string), role: role('function') }, [
      'content',
      'name',
      'role',
    ]),
  ],
} as const;

const toolParam = typedDict(
  {
    function: notNull(typedDict({ name: notNull(string) }, ['name'])),
    type: notNull(literal('function')),
  },
  ['function', 'type'],
);

const customType = typedDict(
  {
    role: notNull(string),
    content: notNull(anyContent),
    name: notNull(string),
    tool_call_id: string,
    tool_calls: listOf(functionCall),
    reasoning: string,
    tools: listOf(toolParam),
    task: string,
  },
  ['role'],
);

/** A message of any role. */
export const messageField: Parser<ChatMessage> = (value, loc, issues) => {
  const given = value as ChatMessage;
  const name = String(Object(given)['role']);
  const native = Object.hasOwn(roleTypes, name)
    ? roleTypes[name as keyof typeof roleTypes][1]
    : undefined;
  const read = native && clean(native, given);
  const custom = clean(customType, given);
  const harmony = harmonyScore(value);
  if (!read && !custom && harmony === undefined) {
    reportAll(given, loc, issues);
    return undefined;
  }
  const best = Math.max(read ? Object.keys(read).length : 0, custom ? customScore(custom) : 0);
  if (harmony !== undefined && harmony > best) {
    harmonyMessages.add(given);
    return given;
  }
  if (read && (!custom || customScore(custom) <= Object.keys(read).length)) {
    const content = read['content'] ?? '';
    const parts = typeof content === 'object' ? partsOf(content) : [];
    const fault = nativePartFault(name, parts);
    if (fault !== undefined) faults.set(given, fault);
  }
  return given;
};

/** Copies the deprecated name of a message's reasoning to the new one, if that is unset. */
export function withReasoning(message: unknown): unknown {
  const isObject = typeof message === 'object' && message !== null && !Array.isArray(message);
  if (!isObject || !('reasoning_content' in message)) return message;
  const { reasoning_content: old, ...rest } = message as ChatMessage;
  return old != null && rest['reasoning'] == null ? { ...rest, reasoning: old } : rest;
}

/** Python iterates over the keys of an object. */
function partsOf(content: object): readonly unknown[] {
  return Array.isArray(content) ? content : Object.keys(content);
}

function reportAll(value: unknown, loc: string, issues: Issue[]): void {
  for (const [name, parse] of Object.values(roleTypes)) parse(value, `${loc}.${name}`, issues);
  customType(value, `${loc}.CustomChatCompletionMessageParam`, issues);
  harmonyMessage(value, `${loc}.Message`, issues);
}

/** OpenAI's harmony format, which vLLM accepts here too but cannot render. */
const harmonyObject = object(
  {
    author: notNull(
      object(
        {
          role: notNull(literal('user', 'assistant', 'system', 'developer', 'tool')),
          name: string,
        },
        ['role'],
      ),
    ),
    content: notNull(listOf(object({}))),
    channel: string,
    recipient: string,
    content_type: string,
  },
  ['author'],
);

function harmonyMessage(value: unknown, loc: string, issues: Issue[]): void {
  harmonyObject(value, loc, issues);
}

/** Returns the number of fields that Pydantic counts; undefined if it is not such a message. */
function harmonyScore(value: unknown): number | undefined {
  const issues: Issue[] = [];
  const read = harmonyObject(value, '', issues);
  if (read === undefined || issues.length > 0) return undefined;
  const given = (fields: object) =>
    Object.values(fields).filter((field) => field !== undefined).length;
  return given(read) + given(read.author ?? {});
}

const harmonyMessages = new WeakSet<ChatMessage>();

/** Returns whether a parsed message is in harmony's format. */
export function isHarmony(message: ChatMessage): boolean {
  return harmonyMessages.has(message);
}

/** Returns the parsed message if it has no issues, otherwise undefined. */
function clean(parse: Parser<ChatMessage>, value: unknown): ChatMessage | undefined {
  const issues: Issue[] = [];
  const read = parse(value, '', issues);
  return issues.length === 0 ? read : undefined;
}

/** Also counts the fields within parts and tool calls. */
function customScore(read: ChatMessage): number {
  const { content, tool_calls: calls, tools } = read;
  const parts = Array.isArray(content) ? (content as readonly CustomPart[]) : [];
  const inParts = parts.reduce(
    (total, part) => total + (typeof part === 'string' ? 0 : Object.keys(part).length),
    0,
  );
  const inCalls = Array.isArray(calls) ? calls.length * 5 : 0;
  const inTools = Array.isArray(tools) ? tools.length * 3 : 0;
  return Object.keys(read).length + inParts + inCalls + inTools;
}

function role(name: string): Parser<string> {
  return notNull(literal(name));
}

function typed(
  name: string,
  fields: { readonly content: Parser<unknown>; readonly role: Parser<string> },
): readonly [string, Parser<ChatMessage>] {
  const parse = typedDict({ ...fields, name: notNull(string) }, ['content', 'role']);
  return [`ChatCompletion${name}MessageParam`, parse];
}

function listOf(item: Parser<unknown>): Parser<unknown> {
  return (value, loc, issues) => {
    if (!Array.isArray(value)) {
      issues.push({ type: 'list_type', loc, msg: 'Input should be a valid list', input: value });
      return undefined;
    }
    return value.map((one, i) => item(one, `${loc}.${i}`, issues));
  };
}
