// Requests to OpenAI's Responses API and Anthropic's Messages API.
import type { Draw } from '../draw.ts';
import { anySchema, schemaObject } from './constraints.ts';
import { addFields, type Fields, samplingFields, shortened, streamFields } from './fields.ts';
import type { FuzzRequest } from './index.ts';
import { anyJson, text } from './texts.ts';

const responseTool = (draw: Draw): unknown =>
  draw.make([
    { type: 'function', name: 'f', parameters: { type: 'object' }, strict: true },
    { type: 'function', name: 'f', parameters: { type: 'object', properties: { a: {} } } },
    () => ({ type: 'function', name: 'f', parameters: schemaObject(draw), strict: true }),
    { type: 'function', name: 'f' },
    { type: 'function' },
    { type: 'function', name: 'f', strict: 'x' },
    { name: 'f' },
    { type: 'custom', name: 'c' },
    { type: 'custom', name: 'c', format: { type: 'text' } },
    { type: 'custom', name: 'c', format: { type: 'grammar', syntax: 'lark', definition: 'x' } },
    { type: 'web_search' },
    { type: 'web_search_preview', search_context_size: 'x' },
    { type: 'mcp', server_label: 'x' },
    { type: 'mcp' },
    { type: 'file_search', vector_store_ids: ['v'] },
    { type: 'file_search' },
    { type: 'code_interpreter', container: { type: 'auto' } },
    { type: 'code_interpreter', container: 'c' },
    { type: 'code_interpreter' },
    { type: 'computer' },
    { type: 'computer_use_preview', display_height: 1, display_width: 2, environment: 'mac' },
    { type: 'image_generation' },
    { type: 'image_generation', quality: 'x' },
    { type: 'local_shell' },
    { type: 'shell' },
    { type: 'tool_search' },
    { type: 'apply_patch' },
    { type: 'programmatic_tool_calling' },
    { type: 'no-such-tool' },
    {},
  ]);

const responseTools: readonly unknown[] = [
  (draw: Draw) => draw.list(1, 2, responseTool),
  (draw: Draw) => draw.list(1, 2, responseTool),
  [],
  null,
  5,
  [5],
];

const responseFields: Fields = {
  ...streamFields,
  ...Object.fromEntries(
    `temperature top_p top_k seed logit_bias stop ignore_eos repetition_penalty presence_penalty
    frequency_penalty skip_special_tokens include_stop_str_in_output cache_salt priority request_id
    truncate_prompt_tokens structured_outputs mm_processor_kwargs vllm_xargs kv_transfer_params
    prompt_logprobs min_tokens max_tokens user frobnicate session_id`
      .split(/\s+/)
      .map((name) => [name, samplingFields[name] ?? [null]]),
  ),
  model: ['tiny', null, '', 'absent', 5],
  max_output_tokens: [1, 2, 5, 0, -1, 8193, 'x', null],
  instructions: [text, '', null, 5],
  background: [true, false, null, 'x'],
  store: [true, false, null, 'x'],
  previous_response_id: [null, 'resp_x', '', 5],
  include: [null, [], ['message.output_text.logprobs'], ['x'], 5],
  top_logprobs: [0, 1, 3, 20, 21, -1, 'x', null],
  tools: responseTools,
  tool_choice: ['auto', 'none', 'required', 'x', { type: 'function', name: 'f' }, {}, null, 5],
  parallel_tool_calls: [true, false, null, 'x'],
  reasoning: [null, {}, { effort: 'low' }, { effort: 'x' }, { summary: 'auto' }, 5],
  text: [
    ...[null, {}, { format: { type: 'text' } }, { format: { type: 'json_object' } }, 5],
    ...[{ format: { type: 'x' } }, { format: { type: 'json_schema' } }, { verbosity: 'low' }],
    (draw: Draw) => ({
      format: {
        type: 'json_schema',
        name: 'n',
        schema: draw.chance(0.7) ? schemaObject(draw) : anySchema(draw),
        strict: true,
      },
    }),
  ],
  truncation: ['auto', 'disabled', 'x', null],
  metadata: [null, {}, { a: 'x' }, { a: 5 }, 5],
  service_tier: ['auto', 'default', 'x', null],
  max_tool_calls: [null, 1, 'x'],
  prompt: [null, { id: 'x' }, 5],
  enable_response_messages: [true, false, 'x'],
};

export function responsesRequest(draw: Draw): FuzzRequest {
  const body: Record<string, unknown> = {
    ...{ model: 'tiny', temperature: 0, ignore_eos: true, max_output_tokens: 3 },
    input: draw.chance(0.6) ? text(draw) : inputItems(draw),
  };
  if (draw.chance(0.3)) body['stream'] = true;
  const path = draw.chance(0.85) ? '/v1/responses' : '/v1/responses/render';
  const request = addFields(draw, body, responseFields, 3);
  // vLLM copies these into its response, where null fails: its stream ends without an event.
  const isBroken = (name: string) => request['stream'] && request[name] === null;
  for (const name of ['background', 'truncation'].filter(isBroken)) delete request[name];
  return {
    method: 'POST',
    path,
    body: shortened(request, 'max_output_tokens'),
  };
}

function inputItems(draw: Draw): unknown {
  const item = () =>
    draw.make([
      () => ({ role: 'user', content: text(draw) }),
      () => ({ type: 'message', role: 'user', content: text(draw) }),
      () => ({ role: 'user', content: [{ type: 'input_text', text: text(draw) }] }),
      () => ({ role: 'system', content: text(draw) }),
      () => ({ role: 'developer', content: text(draw) }),
      () => ({ role: 'assistant', content: text(draw) }),
      () => ({
        ...{ type: 'message', role: 'assistant', id: 'msg_1', status: 'completed' },
        content: [{ type: 'output_text', text: text(draw), annotations: [] }],
      }),
      { type: 'function_call', call_id: 'c', name: 'f', arguments: '{"x": 1}' },
      { type: 'function_call_output', call_id: 'c', output: '42' },
      { type: 'reasoning', id: 'r', summary: [], content: [] },
      { type: 'reasoning', summary: [{ type: 'summary_text', text: 'so' }] },
      {
        ...{ type: 'reasoning', summary: [] },
        content: ['a', 'b'].map((one) => ({ type: 'reasoning_text', text: one })),
      },
      { type: 'reasoning' },
      { type: 'reasoning', summary: [], encrypted_content: 'x' },
      { type: 'function_call', call_id: 'c' },
      { type: 'function_call', call_id: 'c', name: 'f', arguments: 'no json', status: 'completed' },
      { type: 'function_call_output', call_id: 'c', output: [{ type: 'input_text', text: '4' }] },
      { type: 'function_call_output', output: '42' },
      { type: 'function_call_output', call_id: 'c' },
      { type: 'custom_tool_call', call_id: 'c', name: 'n', input: 'x' },
      { type: 'custom_tool_call_output', call_id: 'c', output: 'x' },
      {
        type: 'web_search_call',
        id: 'w',
        status: 'completed',
        action: { type: 'search', query: '' },
      },
      { type: 'compaction', encrypted_content: 'x' },
      { type: 'item_reference', id: 'x' },
      { id: 'x' },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'said' }] },
      {
        ...{ type: 'message', role: 'assistant' },
        content: ['a', 'b'].map((one) => ({ type: 'output_text', text: one })),
      },
      { type: 'message', role: 'assistant', content: [{ type: 'refusal', refusal: 'no' }] },
      { type: 'message', role: 'assistant', content: [], status: 'incomplete' },
      { role: 'assistant', content: [{ type: 'output_text', text: 'said' }] },
      { role: 'user', content: [{ type: 'input_text' }] },
      { role: 'user', content: [] },
      { role: 'user', content: ['a', 'b'].map((one) => ({ type: 'input_text', text: one })) },
      { role: 'user', content: [{ type: 'input_file', file_id: 'f' }] },
      { role: 'tool', content: 'x' },
      { role: 'user', content: [{ type: 'input_image', image_url: 'x', detail: 'auto' }] },
      { role: 'user' },
      { type: 'x' },
      {},
      5,
      'x',
    ]);
  return draw.chance(0.1) ? draw.pick(anyJson) : draw.list(1, 3, item);
}

const messagesFields: Fields = {
  ...streamFields,
  model: ['tiny', '', 'absent', 5, null],
  temperature: [0, 0.7, 1, 2.1, -1, 'x', null],
  top_p: [1, 0.5, 0, 1.1, 'x', null],
  top_k: [-1, 0, 5, -2, 'x', null],
  max_tokens: [1, 3, 0, -1, 8193, 'x', null],
  stop_sequences: [['\u0001zz'], [], [''], 'x', 5, null],
  system: [text, [{ type: 'text', text: 'sys' }], '', 5, [5], null],
  metadata: [null, {}, { user_id: 'x' }, 5],
  tools: [
    [{ name: 'f', description: 'd', input_schema: { type: 'object' } }],
    [{ name: 'f', input_schema: { properties: { a: { type: 'integer' } } } }],
    [{ name: 'f' }],
    [{ input_schema: {} }],
    [],
    null,
    5,
  ],
  tool_choice: [
    ...[null, { type: 'auto' }, { type: 'any' }, { type: 'none' }, { type: 'tool', name: 'f' }],
    ...[{ type: 'tool' }, { type: 'x' }, {}, 5, 'auto'],
  ],
  thinking: [
    ...[null, { type: 'enabled', budget_tokens: 100 }, { type: 'disabled' }, 5, {}],
    ...[{ type: 'enabled' }, { type: 'enabled', budget_tokens: 2000 }, { type: 'adaptive' }],
    ...[{ type: 'x' }, { type: 'adaptive', display: 'x' }],
  ],
  output_config: [
    ...[null, {}, { effort: 'low' }, { effort: 'x' }, 5, { format: { type: 'x' } }],
    (draw: Draw) => ({ format: { type: 'json_schema', schema: anySchema(draw) } }),
  ],
  cache_salt: ['salt', '', 'a/b', 5, null],
  // No other prompt, because the real vLLM's random weights may end the response to it at once.
  kv_transfer_params: [null, { x: 1 }, { prompt_token_ids: 'x' }, 5],
  vllm_xargs: [null, {}, { a: 1 }, { a: {} }, 5],
  chat_template_kwargs: [null, { enable_thinking: false }, { messages: [] }, 5],
  watermarking: [true, 'x'],
  mm_payload: ['none', 'x'],
  frobnicate: [1],
};

export function messagesRequest(draw: Draw): FuzzRequest {
  const body: Record<string, unknown> = {
    ...{ model: 'tiny', max_tokens: 3, temperature: 0 },
    messages: anthropicMessages(draw),
  };
  if (draw.chance(0.3)) body['stream'] = true;
  const path = draw.chance(0.85) ? '/v1/messages' : '/v1/messages/render';
  return {
    method: 'POST',
    path,
    body: shortened(addFields(draw, body, messagesFields, 3), 'max_tokens'),
  };
}

export function countTokensRequest(draw: Draw): FuzzRequest {
  const body = { model: 'tiny', messages: anthropicMessages(draw) };
  const {
    stream: _stream,
    stream_options: _options,
    max_tokens: _most,
    ...fields
  } = messagesFields;
  return {
    ...{ method: 'POST', path: '/v1/messages/count_tokens' },
    body: addFields(draw, body, fields, 3),
  };
}

function anthropicMessages(draw: Draw): unknown {
  const block = () =>
    draw.make([
      () => ({ type: 'text', text: text(draw) }),
      () => ({ type: 'text', text: text(draw) }),
      { type: 'text', text: '' },
      { type: 'text' },
      { type: 'thinking', thinking: 'hm', signature: 'x' },
      { type: 'tool_use', id: 't1', name: 'f', input: { x: 1 } },
      { type: 'tool_result', tool_use_id: 't1', content: '42' },
      { type: 'tool_result', tool_use_id: 't1', content: [{ type: 'text', text: '42' }] },
      { type: 'tool_result', tool_use_id: 't1' },
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
      { type: 'tool_addition', tool: { type: 'tool_reference', name: 'f' } },
      { type: 'tool_removal' },
      { type: 'tool_reference', tool_name: 'f' },
      { type: 'redacted_thinking', data: 'x' },
      { type: 'tool_result', tool_use_id: 't1', content: [{ type: 'image', source: {} }] },
      { type: 'tool_use', id: 't1', name: 'f' },
      { type: 'tool_use', name: 'f', input: { x: 1 } },
      { type: 'text', text: 'x', cache_control: { type: 'ephemeral' } },
      { type: 'x' },
      {},
      5,
    ]);
  const message = () =>
    draw.chance(0.9)
      ? {
          role: draw.pick(['user', 'user', 'assistant']),
          content: draw.chance(0.6) ? text(draw) : draw.list(0, 3, block),
        }
      : draw.make([
          { role: 'system', content: 'x' },
          { role: 'x', content: 'x' },
          { role: 'user' },
          { content: 'x' },
          { role: 'user', content: 5 },
          {},
          5,
        ]);
  return draw.chance(0.04) ? draw.pick(anyJson) : draw.list(1, 3, message);
}
