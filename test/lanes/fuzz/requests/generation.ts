// Requests to /v1/chat/completions and /v1/completions.
import type { Draw } from '../draw.ts';
import { addFields, type Fields, samplingFields, shortened, streamFields } from './fields.ts';
import type { FuzzRequest } from './index.ts';
import { conversation, toolChoices, tools } from './messages-of-chat.ts';
import { loneSurrogate, text } from './texts.ts';

/** Most requests are greedy, short, and not ended by the end token. */
const short = { model: 'tiny', temperature: 0, ignore_eos: true, max_tokens: 3 };

export const chatFields: Fields = {
  ...samplingFields,
  ...streamFields,
  model: ['tiny', null, '', 'absent', 5],
  messages: [conversation],
  logprobs: [true, true, false, null, 'x', 1, 'true'],
  top_logprobs: [0, 1, 3, 20, 21, -1, -2, 'x', '1', 1.5, null, true],
  max_completion_tokens: [1, 2, 0, -1, 8193, 'x', null],
  tools: [tools],
  tool_choice: toolChoices,
  parallel_tool_calls: [true, false, null, 'x'],
  reasoning_effort: ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max', 'x', null, 5],
  include_reasoning: [true, false, 'x', null],
  echo: [true, true, false, 'x', null],
  add_generation_prompt: [true, false, false, 'x', null],
  continue_final_message: [true, true, false, 'x'],
  documents: [null, [], [{ title: 't', text: 'x' }], [{ a: 5 }], ['x'], 5],
  chat_template: ['{{ messages[0].content }}', null, '', 5],
  chat_template_kwargs: [
    ...[null, {}, { enable_thinking: false }, { enable_thinking: true }, { x: 1 }, 5, 'x'],
    ...[{ tools: [] }, { messages: [] }, { add_generation_prompt: false }, { tokenize: true }],
    ...[{ chat_template: 'x' }, { bos_token: 'x' }, { enable_thinking: null }],
  ],
  return_prompt_text: [true, false, null, 'x'],
};

export function chatRequest(draw: Draw): FuzzRequest {
  const messages = draw.chance(0.6)
    ? [{ role: 'user', content: 'Say hello.' }]
    : conversation(draw);
  let body: Record<string, unknown> = { ...short, messages };
  if (draw.chance(0.3)) body['stream'] = true;
  if (draw.chance(0.2)) {
    body['tools'] = tools(draw);
    if (draw.chance(0.6)) body['tool_choice'] = draw.pick(toolChoices);
  }
  if (draw.chance(0.12)) {
    body['logprobs'] = true;
    if (draw.chance(0.7)) body['top_logprobs'] = draw.pick([0, 1, 2, 5]);
  }
  if (draw.chance(0.1)) {
    body['add_generation_prompt'] = false;
    body['continue_final_message'] = true;
  }
  body = shortened(addFields(draw, body, chatFields, 4), 'max_tokens', ['max_completion_tokens']);
  return { method: 'POST', path: '/v1/chat/completions', ...headers(draw), body };
}

const prompts: readonly unknown[] = [
  text,
  text,
  text,
  (draw: Draw) => draw.list(1, 3, text),
  (draw: Draw) => draw.list(1, 6, () => draw.integer(0, 151_000)),
  (draw: Draw) => draw.list(1, 3, () => draw.list(1, 4, () => draw.integer(0, 151_000))),
  '',
  [],
  [''],
  ['a', ''],
  [[]],
  [[1], []],
  [1, 'a'],
  ['a', 1],
  [[1], 'a'],
  [[1, 'a']],
  [-1],
  [151_936],
  [151_935],
  [2 ** 64],
  [1.5],
  [true],
  ['5'],
  null,
  5,
  {},
  { a: 1 },
  true,
  [null],
  loneSurrogate,
  [loneSurrogate],
];

export const completionFields: Fields = {
  ...samplingFields,
  ...streamFields,
  model: ['tiny', null, '', 'absent', 5],
  prompt: prompts,
  prompt_embeds: [null, 'AAAA', [], ['AAAA'], 5, ''],
  echo: [true, true, true, false, null, 'x'],
  logprobs: [0, 1, 2, 5, 20, 21, -1, -2, 'x', '1', 1.5, null, true],
  suffix: ['end', '', null, 5],
};

export function completionRequest(draw: Draw): FuzzRequest {
  const prompt = draw.chance(0.5) ? 'The quick brown fox' : draw.make(prompts);
  const body: Record<string, unknown> = { ...short, prompt };
  if (draw.chance(0.3)) body['stream'] = true;
  if (draw.chance(0.2)) body['echo'] = true;
  if (draw.chance(0.2)) body['logprobs'] = draw.pick([0, 1, 3]);
  return {
    ...{ method: 'POST', path: '/v1/completions', ...headers(draw) },
    body: shortened(addFields(draw, body, completionFields, 4), 'max_tokens'),
  };
}

/** Sometimes returns headers that change a response. */
function headers(draw: Draw): Pick<FuzzRequest, 'headers'> {
  if (!draw.chance(0.08)) return {};
  return {
    headers: draw.pick<Record<string, string>>([
      { 'X-Request-Id': 'from-header' },
      { 'X-Session-ID': 's-9' },
      { 'X-data-parallel-rank': '0' },
      { 'X-data-parallel-rank': '3' },
      { 'X-data-parallel-rank': 'x' },
      { 'X-vLLM-Priority': '1' },
      { Accept: 'text/event-stream' },
      { endpoint_load_metrics_format: 'TEXT' },
      { 'Content-Type': 'application/json; charset=utf-8' },
    ]),
  };
}
