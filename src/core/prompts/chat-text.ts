// Turns chat messages into prompt text, as vLLM prepares them for the model's template.
import {
  argumentsObject,
  badRequest,
  type ChatMessage,
  type ChatRequest,
  callIssues,
  callsOf,
  contentFault,
  type Issue,
  isHarmony,
  isTruthy,
  notNull,
  pydanticReport,
  pythonType,
  string,
  type Tool,
  typedDict,
} from '../api/index.ts';
import { InputError } from '../base/index.ts';
import type { TemplateMessage, Tokenizer } from '../tokenizer/index.ts';

/** The fields of a request that determine the text of its prompt. */
export type ChatTextRequest = Pick<
  ChatRequest,
  | 'messages'
  | 'tools'
  | 'chat_template_kwargs'
  | 'reasoning_effort'
  | 'add_generation_prompt'
  | 'continue_final_message'
  | 'documents'
>;

/**
 * Renders the messages with the model's template.
 *
 * @param modelName The name of the model in errors.
 * @throws {ApiError} 400 if the template or vLLM refuses the messages.
 */
export function chatText(
  tokenizer: Tokenizer,
  request: ChatTextRequest,
  modelName: string,
): string {
  const messages = request.messages ?? [];
  const tools = request.tools ?? [];
  checkTemplateVariables(request.chat_template_kwargs);
  try {
    return tokenizer.applyChatTemplate(
      withOneSystem(
        messages,
        messages.map((message) => templateMessage(message, modelName)),
      ),
      {
        tools: tools.length > 0 ? tools.map(templateTool) : undefined,
        addGenerationPrompt: request.add_generation_prompt ?? true,
        continueFinalMessage: request.continue_final_message ?? false,
        variables: {
          ...(request.reasoning_effort != null && {
            enable_thinking: request.reasoning_effort !== 'none',
          }),
          ...request.chat_template_kwargs,
          ...(request.reasoning_effort != null && { reasoning_effort: request.reasoning_effort }),
          ...(request.documents != null && { documents: request.documents }),
        },
      },
    );
  } catch (error) {
    if (error instanceof InputError) throw badRequest(error.message);
    throw error;
  }
}

/** Arguments that vLLM and transformers pass to the template themselves; Python accepts each only once. */
const ownArguments: Readonly<Record<string, string>> = {
  model_config: 'safe_apply_chat_template()',
  tokenizer: 'safe_apply_chat_template()',
  conversation: 'safe_apply_chat_template()',
  messages: 'jinja2.environment.Template.render()',
};

/** @throws {ApiError} 400 for variables that cannot be passed, with Python's message. */
function checkTemplateVariables(variables: ChatTextRequest['chat_template_kwargs']): void {
  const given = variables ?? {};
  for (const [name, called] of Object.entries(ownArguments)) {
    if ((given[name] ?? null) === null || given[name] === 'auto') continue;
    const kind = name === 'messages' ? 'keyword argument' : 'argument';
    throw badRequest(`${called} got multiple values for ${kind} '${name}'`);
  }
  for (const name of ['tools', 'documents']) {
    const value = given[name] ?? null;
    if (value === null || typeof value === 'object' || typeof value === 'string') continue;
    throw badRequest(`'${pythonType(value)}' object is not iterable`);
  }
  if (isTruthy(given['return_assistant_tokens_mask'])) {
    throw badRequest(
      '`return_assistant_tokens_mask=True` requires `return_dict=True` and `tokenize=True`',
    );
  }
}

/**
 * Joins content parts into one text, and turns tool arguments into objects, which templates print
 * as JSON.
 */
function templateMessage(message: ChatMessage, modelName: string): TemplateMessage {
  const { role: given, reasoning, tool_call_id: id, name, task } = message;
  if (isHarmony(message)) throw badRequest("'Message' object is not subscriptable");
  const role = typeof given === 'string' ? given : 'user';
  return {
    // Templates have no developer role; vLLM passes developer messages as system messages.
    role: role === 'developer' ? 'system' : role,
    content: contentText(message, { role, modelName }),
    ...(role === 'assistant' && {
      ...templateCalls(message),
      ...(reasoning != null && { reasoning, reasoning_content: reasoning }),
    }),
    ...(role === 'tool' && id !== undefined && { tool_call_id: id }),
    ...(typeof name === 'string' && { name }),
    ...(typeof task === 'string' && { task }),
  };
}

/**
 * If there is a developer message, vLLM joins all system messages into one at the start, where
 * templates expect it.
 */
function withOneSystem(
  given: readonly ChatMessage[],
  messages: readonly TemplateMessage[],
): readonly TemplateMessage[] {
  const isSystem = ({ role }: TemplateMessage) => role === 'system';
  const hasDeveloper = given.some((message) => message['role'] === 'developer');
  if (!hasDeveloper || messages.slice(1).every((message) => !isSystem(message))) return messages;
  const words = messages.filter(isSystem).map(({ content }) => content);
  const content = words.filter((text) => text !== '').join('\n\n');
  return [{ role: 'system', content }, ...messages.filter((message) => !isSystem(message))];
}

/** A tool as vLLM passes it to templates, which print it: unset fields are null, except `strict`. */
function templateTool({ function: described, defer_loading: all }: Tool): object {
  const { name, description, parameters, strict, defer_loading: defer = all } = described ?? {};
  return {
    type: 'function',
    function: {
      name,
      description: description ?? null,
      parameters: parameters ?? null,
      ...(strict != null && { strict }),
      ...(defer != null && { defer_loading: defer }),
    },
    ...(all != null && { defer_loading: all }),
  };
}

/** Part types with text, and the field that contains it. */
const textParts: Readonly<Record<string, string>> = {
  text: 'text',
  input_text: 'text',
  output_text: 'text',
  refusal: 'refusal',
  thinking: 'thinking',
  tool_reference: 'name',
};

/** Part types that only a multimodal model supports. */
const mediaParts = [
  ...['audio_embeds', 'audio_url', 'image_embeds', 'image_pil', 'image_url', 'input_audio'],
  ...['input_image', 'prompt_embeds', 'video_embeds', 'video_url'],
];

/** Claude Code's header of this name differs per request and would defeat prefix caching. */
const billingHeader = 'x-anthropic-billing-header';

function contentText(
  message: ChatMessage,
  { role, modelName }: { readonly role: string; readonly modelName: string },
): string {
  const { content } = message;
  if (content === undefined || content === null) return '';
  // Python iterates over the keys of an object.
  const parts: readonly unknown[] =
    typeof content !== 'object'
      ? [content]
      : Array.isArray(content)
        ? content
        : Object.keys(content);
  const fault = contentFault(message);
  // All parts of a system message are checked first; otherwise they are checked one by one as they
  // are read.
  const shown = role === 'system' ? parts.flatMap(withoutBillingHeader) : parts;
  if (role === 'system' && fault) throw badRequest(fault.report);
  const texts: unknown[] = shown.flatMap((part, i) => {
    if (fault?.index === i) throw badRequest(fault.report);
    return typeof part === 'string' ? [part] : partText(part, modelName);
  });
  for (const [i, text] of texts.entries()) {
    if (typeof text === 'string') continue;
    throw badRequest(`sequence item ${i}: expected str instance, ${pythonType(text)} found`);
  }
  return texts.join('\n');
}

function withoutBillingHeader(part: unknown): unknown[] {
  const { type, text: inner } = Object(part) as Readonly<Record<string, unknown>>;
  const text = typeof part === 'string' ? part : type === 'text' ? inner : undefined;
  if (typeof text !== 'string' || !text.startsWith(billingHeader)) return [part];
  const at = text.indexOf('\n');
  const rest = at === -1 ? '' : text.slice(at + 1);
  if (rest === '') return [];
  return [typeof part === 'string' ? rest : { ...(part as object), text: rest }];
}

/** @returns Nothing for a null text. @throws {ApiError} 400 unless the part is text. */
function partText(part: unknown, modelName: string): unknown[] {
  const fields = Object(part) as Readonly<Record<string, unknown>>;
  const { type = null, uuid = null } = fields;
  const refuseMedia = () => badRequest(`${modelName} is not a multimodal model`);
  if (typeof type === 'string' && uuid === null) {
    const field = textParts[type];
    if (field !== undefined) {
      const text = fields[field] ?? null;
      return text === null && (type === 'text' || type === 'refusal') ? [] : [text];
    }
    if (type === 'prompt_embeds') {
      throw badRequest(
        'You must set `--enable-prompt-embeds` to input `prompt_embeds`',
        'prompt_embeds',
      );
    }
    if (mediaParts.includes(type)) throw mediaFault(type, fields) ?? refuseMedia();
  }
  if (type === null || uuid !== null) {
    if (mediaParts.some((name) => name in fields)) throw refuseMedia();
    throw badRequest("Missing 'type' field in multimodal part.", 'type');
  }
  if (typeof type !== 'string') {
    throw badRequest("Invalid 'type' field in multimodal part.", 'type');
  }
  const supported = [...mediaParts, ...Object.keys(textParts)].toSorted().join(', ');
  throw badRequest(
    `Unsupported chat content part type: '${type}'. Supported types: ${supported}.`,
    'type',
    type,
  );
}

/** Part types whose URL vLLM reads before it checks whether the model supports them. */
const addressed: Readonly<Record<string, string>> = {
  image_url: 'Image',
  audio_url: 'Audio',
  video_url: 'Video',
};

function mediaFault(type: string, fields: Readonly<Record<string, unknown>>): Error | undefined {
  const name = addressed[type];
  if (name === undefined) return undefined;
  const issues: Issue[] = [];
  typedDict({ [type]: notNull(typedDict({ url: notNull(string) }, ['url'])) }, [type])(
    fields,
    '',
    issues,
  );
  if (issues.length === 0) return undefined;
  const placed = issues.map((issue) => ({ ...issue, loc: issue.loc.replace(/^\./, '') }));
  return badRequest(pydanticReport(`ChatCompletionContentPart${name}Param`, placed));
}

/** @throws {ApiError} 400 if one of the tool calls is invalid. */
function templateCalls(message: ChatMessage): { readonly tool_calls?: readonly unknown[] } {
  const calls = callsOf(message['tool_calls']);
  const issues = callIssues(message, '');
  if (issues.length > 0) {
    const placed = issues.map((issue) => ({ ...issue, loc: issue.loc.replace(/^\./, '') }));
    throw badRequest(pydanticReport('ValidatorIterator', placed));
  }
  return calls.length > 0 ? { tool_calls: calls.map(templateCall) } : {};
}

/** @throws {ApiError} 400 if the tool call names no function. */
function templateCall(call: unknown): unknown {
  const { type, function: called } = Object(call) as Readonly<Record<string, unknown>>;
  if ((type ?? 'function') !== 'function' || typeof called !== 'object' || called === null) {
    throw badRequest(
      "chat completions only support assistant tool_calls of type 'function'.",
      'tool_calls',
    );
  }
  const { arguments: given } = called as { readonly arguments?: unknown };
  return { ...(call as object), function: { ...called, arguments: argumentsObject(given) } };
}
