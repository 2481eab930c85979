// Translates the Responses API's items to a chat request, as vLLM does.
import { ApiError, badRequest } from '../openai/api-error.ts';
import type { ChatMessage, ChatRequest } from '../openai/chat-request.ts';
import type { ResponsesRequest } from './responses-request.ts';

/**
 * @param history The conversation of `previous_response_id`.
 * @throws {ApiError} 400 if vLLM does not accept this type of input item.
 */
export function chatRequestOfResponses(
  request: ResponsesRequest,
  history: readonly ChatMessage[] = [],
): ChatRequest {
  const effort = request.reasoning?.effort;
  const kwargs = request.chat_template_kwargs ?? {};
  const isPartial = continuesFinalMessage(request.input);
  const tools = (request.tools ?? [])
    .filter(({ type }) => type === 'function')
    .map(({ type: _type, name, description, parameters, strict }) => ({
      type: 'function' as const,
      function: {
        name: String(name),
        ...(description != null && { description: String(description) }),
        parameters,
        ...(typeof strict === 'boolean' && { strict }),
      },
    }));
  return {
    model: request.model,
    messages: [...instructions(request), ...history, ...inputMessages(request.input ?? '')],
    max_completion_tokens: request.max_output_tokens,
    temperature: request.temperature,
    top_p: request.top_p,
    top_k: request.top_k,
    min_p: request.min_p,
    presence_penalty: request.presence_penalty,
    frequency_penalty: request.frequency_penalty,
    repetition_penalty: request.repetition_penalty,
    seed: request.seed,
    // An empty text counts as none, as in Python.
    stop: request.stop === '' ? undefined : request.stop,
    stop_token_ids: request.stop_token_ids,
    ignore_eos: request.ignore_eos,
    logit_bias: request.logit_bias,
    skip_special_tokens: request.skip_special_tokens,
    include_stop_str_in_output: request.include_stop_str_in_output,
    structured_outputs: request.structured_outputs,
    cache_salt: request.cache_salt,
    session_id: request.session_id,
    priority: request.priority,
    vllm_xargs: request.vllm_xargs,
    kv_transfer_params: request.kv_transfer_params,
    ec_transfer_params: request.ec_transfer_params,
    stream: request.stream,
    // The prompt keeps as much as the context holds, unless truncation is off, which is the
    // default.
    ...(request.truncation !== undefined &&
      request.truncation !== 'disabled' && { truncate_prompt_tokens: -1 }),
    add_generation_prompt: !isPartial,
    continue_final_message: isPartial,
    ...(tools.length > 0 && { tools, tool_choice: toolChoice(request.tool_choice) }),
    ...(effort != null && { reasoning_effort: effort }),
    chat_template_kwargs: {
      ...(effort != null && { enable_thinking: effort !== 'none' }),
      ...kwargs,
    },
    ...(includesLogprobs(request) && { logprobs: true, top_logprobs: request.top_logprobs ?? 0 }),
    ...responseFormat(request),
  };
}

/** Returns whether the response includes the log probabilities of its tokens. */
function includesLogprobs({ include }: ResponsesRequest): boolean {
  return include?.includes('message.output_text.logprobs') === true;
}

function instructions({ instructions: text }: ResponsesRequest): ChatMessage[] {
  return text ? [{ role: 'system', content: text }] : [];
}

type Item = Readonly<Record<string, unknown>>;

function inputMessages(input: NonNullable<ResponsesRequest['input']>): ChatMessage[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }];
  const messages: Record<string, unknown>[] = [];
  for (const item of input) addItem(item, messages);
  return messages;
}

/**
 * Tool calls, reasoning and text of one assistant turn are separate items; joins them into one
 * message.
 */
function addItem(item: Item, messages: Record<string, unknown>[]): void {
  const before = messages.at(-1);
  const previous = before?.['role'] === 'assistant' ? before : undefined;
  const join = (field: string, value: unknown) => {
    if (previous && previous[field] == null) previous[field] = value;
    else messages.push({ role: 'assistant', [field]: value });
  };
  switch (item['type']) {
    case 'custom_tool_call':
    case 'function_call': {
      // A custom tool takes a text; its function has that text as its only argument.
      const given =
        item['type'] === 'custom_tool_call'
          ? JSON.stringify({ input: item['input'] })
          : item['arguments'];
      const called = { name: item['name'], arguments: given };
      const call = { id: item['call_id'], type: 'function', function: called };
      const calls = previous?.['tool_calls'];
      if (previous && Array.isArray(calls)) calls.push(call);
      else if (previous) previous['tool_calls'] = [call];
      else messages.push({ role: 'assistant', tool_calls: [call] });
      return;
    }
    case 'custom_tool_call_output':
    case 'function_call_output':
      messages.push({
        role: 'tool',
        content: partsText(item['output']),
        tool_call_id: item['call_id'],
      });
      return;
    case 'reasoning':
      if (item['encrypted_content']) {
        throw badRequest('Encrypted content is not supported.', 'input');
      }
      join('reasoning', reasoningText(item));
      return;
    default:
      if (item['role'] === 'assistant') join('content', saidText(item));
      else if ('role' in item) {
        messages.push({ role: item['role'], content: partsText(item['content']) });
      } else
        throw badRequest(`Unsupported input item type: ${String(item['type'] ?? 'None')}`, 'input');
  }
}

/** vLLM uses the first part of the reasoning or its summary. */
function reasoningText({ content, summary }: Item): string {
  const [first] = [content, summary].flatMap((parts) => (Array.isArray(parts) ? parts : []));
  return String((first as Item | undefined)?.['text'] ?? '');
}

/** @throws {ApiError} 500 where vLLM fails on a part without text. */
function saidText({ content }: Item): unknown {
  if (!Array.isArray(content)) return content;
  const first = content[0] as Item | undefined;
  if (first === undefined) {
    throw new ApiError(500, 'InternalServerError', 'list index out of range');
  }
  if (first['type'] !== 'refusal') return first['text'] ?? null;
  const words = "'ResponseOutputRefusal' object has no attribute 'text'";
  throw new ApiError(500, 'InternalServerError', words);
}

function partsText(content: unknown): unknown {
  if (!Array.isArray(content)) return content;
  const isText = content.every((part) => typeof (part as Item)['text'] === 'string');
  return isText ? content.map((part) => (part as Item)['text']).join('\n') : content;
}

function continuesFinalMessage(input: ResponsesRequest['input']): boolean {
  const last = typeof input === 'string' ? undefined : input?.at(-1);
  const type = last?.['type'] ?? 'message';
  return (
    (type === 'message' || type === 'reasoning') &&
    (last?.['status'] === 'in_progress' || last?.['status'] === 'incomplete')
  );
}

function toolChoice(choice: ResponsesRequest['tool_choice']): ChatRequest['tool_choice'] {
  if (typeof choice !== 'object' || choice === null) return choice;
  return { type: 'function', function: { name: String(choice['name']) } };
}

function responseFormat({ text }: ResponsesRequest): Partial<ChatRequest> {
  const format = text?.format;
  if (format?.['type'] === 'json_object') return { response_format: { type: 'json_object' } };
  if (format?.['type'] !== 'json_schema' || format['schema'] == null) return {};
  const schema = format['schema'] as Readonly<Record<string, unknown>>;
  const name = String(format['name']);
  return { response_format: { type: 'json_schema', json_schema: { name, schema } } };
}
