// Requests in the form of OpenAI's Responses API and of Anthropic's Messages API.
import type { Draw } from '../draw.ts';
import {
  addFields,
  type Fields,
  samplingFields,
  schemas,
  shortened,
  streamFields,
} from './fields.ts';
import type { FuzzRequest } from './index.ts';
import { anyJson, text } from './texts.ts';

const responseTools: readonly unknown[] = [
  [{ type: 'function', name: 'f', parameters: { type: 'object' }, strict: true }],
  [{ type: 'function', name: 'f', parameters: { type: 'object', properties: { a: {} } } }],
  [{ type: 'function', name: 'f' }],
  [{ type: 'function' }],
  [{ type: 'web_search' }],
  [{ type: 'mcp', server_label: 'x' }],
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
      format: { type: 'json_schema', name: 'n', schema: draw.pick(schemas), strict: true },
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
  // vLLM copies these into its answer, where null fails: its stream breaks off without an event.
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
  thinking: [null, { type: 'enabled', budget_tokens: 100 }, { type: 'disabled' }, 5],
  output_config: [null, {}, { effort: 'low' }, 5],
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
