// Conversations and tools as chat clients send them, valid and invalid.
import type { Draw } from '../draw.ts';
import { schemaObject, schemas } from './constraints.ts';
import { anyJson, loneSurrogate, text } from './texts.ts';

/** One to five messages, sometimes with an invalid one. */
export function conversation(draw: Draw): unknown {
  if (draw.chance(0.03)) return draw.pick([...anyJson, [[]], [5], ['x']]);
  const messages: unknown[] = draw.list(1, 4, message);
  return draw.chance(0.04) ? [...messages, draw.pick(anyJson)] : messages;
}

function message(draw: Draw): unknown {
  const kind = draw.integer(0, 30);
  const content = draw.chance(0.75) ? text(draw) : parts(draw);
  if (kind < 12) return { role: 'user', content };
  if (kind < 15) return { role: 'system', content };
  if (kind < 16) return { role: 'developer', content };
  if (kind < 19) return { role: 'assistant', content };
  if (kind < 20) return { role: 'assistant', content, reasoning: text(draw) };
  if (kind < 21) return { role: 'assistant', content, reasoning_content: text(draw) };
  if (kind < 24) return withCalls(draw, content);
  if (kind < 26) return { role: 'tool', content, tool_call_id: draw.make(['call_1', '', 5]) };
  if (kind < 27) return { role: 'user', content, name: draw.make(['Bob', '', 5, null]) };
  if (kind < 28) return { role: draw.make(['function', 'critic', '', 'USER', 'human']), content };
  return draw.make([
    { role: 'user' },
    { content: 'no role' },
    { role: 'user', content: null },
    { role: 'assistant' },
    { role: 'assistant', content: null },
    { role: 'tool', content: null },
    { role: 'user', content: 5 },
    { role: 'user', content: [] },
    { role: 'user', content: {} },
    { role: 5, content: 'x' },
    { role: null, content: 'x' },
    { role: 'user', content: '' },
    { role: 'user', content: loneSurrogate },
    { role: 'user', content: 'x', unknown: { a: [1] } },
    { role: 'system', content: null },
    { role: 'user', content: true },
    { role: 'assistant', content: 'x', refusal: null, audio: null },
    { role: 'assistant', content: 'x', refusal: 5 },
    { role: 'assistant', audio: { id: 'a' } },
    { role: 'assistant', content: 'x', function_call: { name: 'f', arguments: '{}' } },
    { role: 'assistant', content: 'x', function_call: 5 },
    { role: 'function', name: 'f', content: 'x' },
    { role: 'function', name: 'f', content: null },
    { role: 'user', content: 'x', task: 'chat' },
    { role: 'developer', content: 'x', tools: [{ type: 'function', function: { name: 'f' } }] },
    { role: 'developer', content: 'x', tools: 5 },
    { role: 'user', content: 'x', reasoning: 'why' },
    { role: 'assistant', content: 'x', reasoning: 5 },
    { role: 'assistant', content: 'x', reasoning: '', reasoning_content: 'old' },
    { role: 'tool', content: [{ type: 'text', text: 'x' }] },
    { role: 'assistant', content: '<think>a</think>b' },
    { role: 'system', content: 'x-anthropic-billing-header: 1\nrest' },
    { author: { role: 'user' }, content: [{ type: 'text', text: 'x' }] },
    {},
  ]);
}

function withCalls(draw: Draw, content: unknown): unknown {
  const call = () => ({
    id: draw.make(['call_1', 'x', '']),
    type: 'function',
    function: {
      name: draw.make(['f', 'get_weather', '']),
      arguments: draw.make([
        '{"x": 1}',
        '{}',
        '',
        '{"s":"ü\\n","l":[1,2.5,null,true]}',
        '{"a":{}}',
      ]),
    },
  });
  const calls: unknown = draw.chance(0.85)
    ? draw.list(1, 2, call)
    : draw.make([
        [],
        null,
        5,
        'x',
        {},
        [5],
        [{}],
        [{ id: 'a', type: 'function', function: {} }],
        [{ id: 'a', type: 'function', function: { name: 'f', arguments: 'not json' } }],
        [{ id: 'a', type: 'function', function: { name: 'f', arguments: { x: 1 } } }],
        [{ id: 'a', type: 'function', function: { name: 'f', arguments: '[1]' } }],
        [{ id: 'a', type: 'function', function: { name: 'f', arguments: '5' } }],
        [{ id: 'a', type: 'function', function: { name: 'f' } }],
        [{ function: { name: 'f', arguments: '{}' } }],
        [{ id: 5, type: 'x', function: { name: 'f', arguments: '{}' } }],
      ]);
  return {
    role: 'assistant',
    content: draw.pick([null, '', content, undefined]),
    tool_calls: calls,
  };
}

/** Parts of a message: of every type that vLLM knows, and of unknown types. */
function parts(draw: Draw): unknown {
  const part = () =>
    draw.chance(0.7)
      ? { type: 'text', text: text(draw) }
      : draw.make([
          'a bare string',
          { type: 'text' },
          { type: 'text', text: null },
          { type: 'text', text: 5 },
          { type: 'text', text: '' },
          { type: 'input_text', text: 'in' },
          { type: 'output_text', text: 'out' },
          { type: 'refusal', refusal: 'no' },
          { type: 'thinking', thinking: 'hm' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
          { type: 'image_url', image_url: { url: 'not a url' } },
          { type: 'image_url', image_url: 'data:image/png;base64,iVBORw0KGgo=' },
          { type: 'image_url' },
          { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
          { type: 'audio_url', audio_url: { url: 'data:audio/wav;base64,AAAA' } },
          { type: 'video_url', video_url: { url: 'data:video/mp4;base64,AAAA' } },
          { type: 'file', file: { file_id: 'x' } },
          { type: 'file', file: { filename: 5 } },
          { type: 'text', text: 'x', uuid: 'u-1' },
          { type: 'image_url', image_url: { url: 'x' }, uuid: 'u-1' },
          { type: 'image_url', image_url: { url: 'x', detail: 'low' } },
          { type: 'image_embeds', image_embeds: 'AAAA' },
          { type: 'prompt_embeds', data: 'AAAA' },
          { type: 'prompt_embeds' },
          { type: 'tool_reference', name: 'f' },
          { type: 'thinking', thinking: 'hm', closed: true },
          { type: 'input_image', image_url: 'x' },
          { type: 5, text: 'x' },
          { type: null, text: 'x' },
          { uuid: 'u-1' },
          { text: 'x', unknown: [1] },
          ['nested'],
          true,
          { type: 'no-such-part', text: 'x' },
          { text: 'no type' },
          { image_url: 'x' },
          {},
          5,
          null,
        ]);
  return draw.list(0, 3, part);
}

/** Tools of a chat request. */
export function tools(draw: Draw): unknown {
  if (draw.chance(0.2)) {
    return draw.make([
      [],
      null,
      5,
      {},
      [5],
      [{}],
      [{ type: 'function' }],
      [{ type: 'function', function: {} }],
      [{ type: 'x', function: { name: 'f' } }],
      [{ function: { name: 'f' } }],
      [{ type: 'function', function: { name: 5 } }],
      [{ type: 'function', function: { name: 'f', parameters: 'x' } }],
      [{ type: 'function', function: { name: 'f', strict: 'x' } }],
      [{ type: 'function', function: { name: 'f', parameters: { type: 'no-such-type' } } }],
      [{ type: 'function', function: { name: 'f', unknown: 1 }, more: 2 }],
      [{ type: 'function', function: { name: 'f', description: null } }],
      [{ type: 'function', function: { name: 'f' }, defer_loading: true }],
    ]);
  }
  return draw.list(1, 3, () => ({
    type: 'function',
    function: {
      name: draw.pick(['f', 'get_weather', 'ünï', 'a b']),
      ...(draw.chance(0.6) && { description: text(draw) }),
      ...(draw.chance(0.7) && {
        parameters: draw.chance(0.2)
          ? schemaObject(draw)
          : draw.pick([...schemas, { type: 'object' }]),
      }),
      ...(draw.chance(0.3) && { strict: draw.chance(0.7) }),
    },
  }));
}

export const toolChoices: readonly unknown[] = [
  'none',
  'auto',
  'auto',
  'required',
  null,
  'x',
  5,
  [],
  {},
  { type: 'function' },
  { type: 'function', function: {} },
  { type: 'function', function: { name: 'f' } },
  { type: 'function', function: { name: 'f' } },
  { type: 'function', function: { name: 'absent' } },
  { type: 'function', function: { name: '' } },
  { type: 'function', function: { name: 5 } },
  { type: 'x', function: { name: 'f' } },
  { function: { name: 'f' } },
  { type: 'function', function: 'f' },
];
