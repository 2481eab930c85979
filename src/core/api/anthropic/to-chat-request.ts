// Translates Anthropic's messages to a chat request, as vLLM does.
import { badRequest } from '../openai/api-error.ts';
import type { ChatMessage, ChatRequest, Tool } from '../openai/chat-request.ts';
import { isTruthy, pythonText } from '../openai/python-repr.ts';
import type {
  CountTokensRequest,
  MessageBlock,
  MessagesRequest,
  MessagesTool,
} from './messages-request.ts';

/**
 * Translates a request; the response is then generated as for chat and translated back.
 *
 * @throws {ApiError} 400 if a tool is added or removed that is not declared.
 */
export function chatRequestOf(request: MessagesRequest | CountTokensRequest): ChatRequest {
  const messages = [...systemMessage(request.system), ...(request.messages ?? []).flatMap(turn)];
  const given = request as MessagesRequest;
  const declared = toolsInEffect(request)?.map(toTool);
  // An empty list counts as none, as in Python.
  const tools = declared?.length === 0 ? undefined : declared;
  const choice = toolChoice(request, tools !== undefined);
  const wanted = request.tool_choice?.type === 'tool' ? request.tool_choice.name : undefined;
  if (tools && wanted !== undefined && !tools.some((tool) => tool.function?.name === wanted)) {
    throw badRequest(`The tool with name '${wanted}' is not found in the tools list.`);
  }
  const effort = effortOf(request);
  return {
    model: request.model,
    messages,
    max_tokens: given.max_tokens,
    max_completion_tokens: given.max_tokens,
    stop: given.stop_sequences,
    temperature: given.temperature,
    top_p: given.top_p,
    top_k: given.top_k,
    cache_salt: given.cache_salt,
    vllm_xargs: given.vllm_xargs,
    kv_transfer_params: given.kv_transfer_params,
    chat_template_kwargs: request.chat_template_kwargs,
    ...(request.thinking?.type === 'enabled' && {
      thinking_token_budget: request.thinking.budget_tokens,
    }),
    ...(tools && { tools }),
    // Without tools vLLM ignores the choice.
    ...(tools && choice !== undefined && { tool_choice: choice }),
    ...(effort != null && { reasoning_effort: effort }),
    ...responseFormat(request),
    ...(given.stream && {
      stream: true,
      stream_options: { include_usage: true, continuous_usage_stats: true },
    }),
  };
}

/** Claude Code's header of this name differs per request and would defeat prefix caching. */
const billingHeader = 'x-anthropic-billing-header';

function systemMessage(system: MessagesRequest['system']): ChatMessage[] {
  const text = typeof system === 'string' ? system : textOf(system ?? []);
  return text ? [{ role: 'system', content: text }] : [];
}

function textOf(blocks: readonly MessageBlock[]): string {
  return blocks
    .filter(({ type, text }) => type === 'text' && text && !text.startsWith(billingHeader))
    .map(({ text }) => text)
    .join('');
}

/** Returns the chat messages of one turn: tool results come before the user's text. */
function turn({ role, content }: NonNullable<MessagesRequest['messages']>[number]): ChatMessage[] {
  if (role === 'system') {
    if (typeof content !== 'string') return systemMessage(content);
    return content === '' || content?.startsWith(billingHeader) ? [] : [{ role, content }];
  }
  if (typeof content === 'string') return [{ role, content }];
  const blocks = content ?? [];
  const before: ChatMessage[] = [];
  const parts: { readonly type: string; readonly [field: string]: unknown }[] = [];
  for (const block of blocks) {
    if (block.type === 'text' && block.text) parts.push({ type: 'text', text: block.text });
    else if (block.type === 'image' && block.source) parts.push(imagePart(block.source));
    else if (block.type === 'tool_result' && role === 'user') {
      for (const one of toolResult(block)) before.push(one);
    } else if (block.type === 'tool_result') {
      const said = isTruthy(block.content) ? pythonText(block.content) : '';
      parts.push({ type: 'text', text: `Tool result: ${said}` });
    }
  }
  const calls = blocks.filter(({ type }) => type === 'tool_use').map(toolCall);
  const thoughts = blocks.filter(({ type, thinking }) => type === 'thinking' && thinking != null);
  const [only] = parts;
  const message: ChatMessage = {
    role,
    ...(thoughts.length > 0 && { reasoning: thoughts.map(({ thinking }) => thinking).join('') }),
    ...(calls.length > 0 && { tool_calls: calls }),
    ...(parts.length === 1 && only?.type === 'text' && { content: only['text'] }),
    ...((parts.length > 1 || (only && only.type !== 'text')) && { content: parts }),
  };
  const isEmpty = role === 'user' && !('content' in message);
  return isEmpty ? before : [...before, message];
}

function imagePart(source: Readonly<Record<string, unknown>>): { type: string; image_url: object } {
  const { type, url, media_type: mediaType = 'image/jpeg', data = '' } = source;
  const address = type === 'url' ? url : `data:${String(mediaType)};base64,${String(data)}`;
  return { type: 'image_url', image_url: { url: address } };
}

function toolCall({ id, name, input }: MessageBlock): object {
  const called = { name: name ?? '', arguments: JSON.stringify(input ?? {}) };
  return { id: id || 'call', type: 'function', function: called };
}

function toolResult({ content, tool_use_id: id }: MessageBlock): ChatMessage[] {
  const items = Array.isArray(content) ? content : [];
  const texts = items.filter(({ type }) => type === 'text').map(({ text }) => String(text ?? ''));
  const text = typeof content === 'string' ? content : texts.join('\n');
  const images = items
    .filter(({ type }) => type === 'image')
    .map(({ source }) => imagePart((source ?? {}) as Record<string, unknown>));
  return [
    { role: 'tool', tool_call_id: id ?? '', content: text },
    ...(images.length > 0 ? [{ role: 'user', content: images }] : []),
  ];
}

/** Returns the tools after the additions and removals within the conversation. */
function toolsInEffect(
  request: MessagesRequest | CountTokensRequest,
): readonly MessagesTool[] | undefined {
  const changes = (request.messages ?? [])
    .flatMap(({ content }) => (Array.isArray(content) ? (content as MessageBlock[]) : []))
    .filter(({ type }) => type === 'tool_addition' || type === 'tool_removal');
  if (changes.length === 0) return request.tools ?? undefined;
  const tools = new Map((request.tools ?? []).map((tool) => [tool.name ?? '', tool]));
  const removed = new Set<string>();
  for (const { type, tool } of changes) {
    const definition = tool?.['definition'] as MessagesTool | undefined;
    const name = String(definition?.name ?? tool?.['name'] ?? '');
    if (definition) tools.set(name, definition);
    else if (!tools.has(name)) {
      throw badRequest(`${type} references tool '${name}', which is not declared in tools`);
    }
    if (type === 'tool_removal') removed.add(name);
    else removed.delete(name);
  }
  return [...tools].filter(([name]) => !removed.has(name)).map(([, tool]) => tool);
}

function toTool({ name, description, input_schema: schema, strict }: MessagesTool): Tool {
  // The template prints a tool as it is; vLLM omits unset fields.
  return {
    type: 'function',
    function: {
      name,
      ...(description != null && { description }),
      parameters: {
        ...(schema as object),
        ...(!(schema && 'type' in schema) && { type: 'object' }),
      },
      ...(strict != null && { strict }),
    },
  };
}

function toolChoice(
  { tool_choice: choice }: CountTokensRequest,
  hasTools: boolean,
): ChatRequest['tool_choice'] {
  switch (choice?.type) {
    case 'any':
      return 'required';
    case 'tool':
      return { type: 'function', function: { name: choice.name } };
    case 'auto':
    case 'none':
      return choice.type;
    default:
      return hasTools ? 'auto' : undefined;
  }
}

function effortOf({
  thinking,
  output_config: output,
}: CountTokensRequest): ChatRequest['reasoning_effort'] {
  return thinking?.type === 'disabled' ? 'none' : (output?.effort ?? undefined);
}

function responseFormat({ output_config: output }: CountTokensRequest): Partial<ChatRequest> {
  const schema = output?.format?.schema;
  if (!schema) return {};
  const name = 'json_schema';
  return { response_format: { type: name, json_schema: { name, schema } } };
}
