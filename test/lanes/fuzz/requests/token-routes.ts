// Requests to the routes that accept or return tokens, and to batch chat.
import type { Draw } from '../draw.ts';
import { addFields, type Fields, samplingFields, shortened, streamFields } from './fields.ts';
import { chatFields, chatRequest, completionRequest } from './generation.ts';
import type { FuzzRequest } from './index.ts';
import { conversation, tools } from './messages-of-chat.ts';
import { anyJson, loneSurrogate, text } from './texts.ts';

export function batchRequest(draw: Draw): FuzzRequest {
  const messages = draw.chance(0.85)
    ? draw.list(1, 3, (each) =>
        each.chance(0.7) ? [{ role: 'user', content: 'Hi' }] : conversation(each),
      )
    : draw.pick([...anyJson, [], [[]], [[{ role: 'user', content: 'x' }], []]]);
  const body = { model: 'tiny', temperature: 0, max_tokens: 2, messages };
  return {
    ...{ method: 'POST', path: '/v1/chat/completions/batch' },
    body: shortened(addFields(draw, body, chatFields, 3), 'max_tokens', ['max_completion_tokens']),
  };
}

export function renderRequest(draw: Draw): FuzzRequest {
  const request = draw.chance(0.5) ? chatRequest(draw) : completionRequest(draw);
  return { ...request, path: `${request.path}/render` };
}

const generateFields: Fields = {
  ...streamFields,
  model: ['tiny', null, '', 'absent', 5],
  request_id: ['mine-2', '', 5, null],
  cache_salt: ['salt', '', 'a/b', null, 5],
  priority: [0, 1, 'x', null],
  return_token_ids: [true, false, null, 'x'],
  output_mode: ['tokens', 'text', 'x', null],
  features: [
    ...[null, {}, 5, { mm_hashes: {}, mm_placeholders: {} }, { mm_hashes: { image: ['a'] } }],
    { mm_hashes: { image: ['a'] }, mm_placeholders: { image: [] } },
    { mm_hashes: { image: ['a'] }, mm_placeholders: { audio: [{ offset: 0, length: 1 }] } },
    { mm_hashes: { image: ['a'] }, mm_placeholders: { image: [{ offset: 0, length: 99 }] } },
    { mm_hashes: { image: ['a'] }, mm_placeholders: { image: [{ offset: -1, length: 0 }] } },
  ],
  content_parts: [null, [], 5, [{}], [{ type: 'text' }], ['x']],
  kv_transfer_params: [null, {}, 5, { x: 1 }, { x: 2 ** 64 }],
  ec_transfer_params: [null, {}, 5],
  token_offsets: [null, [[0, 1]], [[0]], [['x', 1]], 5],
  reasoning_ended: [true, false, null, 'x'],
  reasoning_parser_kwargs: [null, {}, { chat_template_kwargs: {} }, { x: 1 }, 5],
  token_ids: [[1, 2, 3], [], [-1], [151_936], ['x'], 'x', null, [1.5], [true]],
  sampling_params: [null, 5, 'x', { max_tokens: 'x' }, { n: 2, temperature: 1, max_tokens: 2 }],
};

export function generateRequest(draw: Draw): FuzzRequest {
  const sampling = addFields(
    draw,
    { max_tokens: 3, temperature: 0, ignore_eos: true },
    {
      ...samplingFields,
      logprobs: [0, 1, 3, 21, -1, -2, 'x', null],
      prompt_logprob_token_ids: [[[1]], [[]], [], [1], [['x']], [[151_936]], null, 5],
      prompt_logprob_start: [0, -1, 'x', null],
      trace_decode_token_ids: [[1, 2], [], [-1], [151_936], null, 'x'],
      output_kind: [0, 1, 2, 3, 'x', null],
      detokenize: [true, false, 'x'],
      flat_logprobs: [true, false, 'x'],
      skip_clone: [true, 'x'],
      extra_args: [null, {}, { a: 2 ** 64 }, { a: [1] }, 5],
      skip_reading_prefix_cache: [true, false, 'x'],
    },
    2,
  );
  const body: Record<string, unknown> = {
    model: 'tiny',
    token_ids: draw.list(1, 8, () => draw.integer(0, 151_000)),
    sampling_params: shortened(sampling, 'max_tokens'),
  };
  if (draw.chance(0.3)) body['stream'] = true;
  return {
    ...{ method: 'POST', path: '/inference/v1/generate' },
    body: addFields(draw, body, generateFields, 2),
  };
}

/** One chunk of a stream, with the state carried by the client. */
function streamedDerender(draw: Draw): FuzzRequest {
  const isChat = draw.chance(0.5);
  const choice = () => ({
    index: draw.make([0, 0, 1, 'x']),
    token_ids: draw.make([[9707, 11], [9707], [], [151_645], null, [-1], ['x'], [151_936]]),
    finish_reason: draw.make([null, null, 'stop', 'length', 5]),
    ...(draw.chance(0.2) && {
      logprobs: draw.make([
        null,
        {},
        { content: [{ token_id: 9707, logprob: -1 }] },
        { content: 5 },
      ]),
    }),
  });
  const chunk = {
    request_id: draw.make(['r-1', 'r-1', null, 5]),
    choices: draw.chance(0.9) ? draw.list(0, 2, choice) : draw.pick(anyJson),
    ...(draw.chance(0.2) && {
      usage: draw.make([null, {}, { prompt_tokens: 3, completion_tokens: 1 }, 5]),
    }),
  };
  const body = {
    model: 'tiny',
    stream: draw.make([true, true, true, 'x', 1]),
    generate_chunk: draw.chance(0.95) ? chunk : draw.pick(anyJson),
    ...(isChat && { chat_request: { messages: [{ role: 'user', content: 'Hi' }] } }),
    prompt_token_ids: [1, 2],
  };
  const fields: Fields = {
    stream_state: [
      ...[null, {}, 5, { prev_tokens: ['a'], prefix_offset: 0, read_offset: 1 }],
      ...[{ prefix_offset: -1 }, { output_token_ids: [1], output_chunk_lens: [2] }],
      ...[{ output_token_ids: [9707], output_chunk_lens: [1], role_sent: true }],
      ...[{ output_chunk_lens: [0] }, { logprob_context_token_ids: [1, 2, 3, 4, 5] }],
    ],
    prompt_tokens: [3, 0, 'x', null],
    prompt_token_ids: [null, [], [-1], 5],
    model: [null, 'absent', 5],
    chat_request: [null, {}, 5, { messages: [] }],
    completion_request: [null, { prompt: 'x' }, { prompt: 5 }],
  };
  return {
    ...{ method: 'POST', path: `/v1/${isChat ? 'chat/' : ''}completions/derender` },
    body: addFields(draw, body, fields, 2),
  };
}

export function derenderRequest(draw: Draw): FuzzRequest {
  if (draw.chance(0.35)) return streamedDerender(draw);
  const choice = () => ({
    index: draw.make([0, 1, 'x']),
    token_ids: draw.make([[9707, 11], [], [151_645], null, [-1], ['x'], [151_936], [2 ** 40]]),
    finish_reason: draw.make(['stop', 'length', null, 'x', 5]),
    ...(draw.chance(0.2) && { stop_reason: draw.make(['x', 5, null]) }),
    ...(draw.chance(0.2) && {
      logprobs: draw.make([null, {}, { content: [] }, { content: [{ token: 'a', logprob: -1 }] }]),
    }),
  });
  const response = (): Record<string, unknown> => ({
    request_id: draw.make(['r-1', 'chatcmpl-1', null, 5]),
    choices: draw.chance(0.9) ? draw.list(0, 2, choice) : draw.pick(anyJson),
  });
  const isChat = draw.chance(0.5);
  const body = isChat
    ? {
        model: 'tiny',
        chat_request: draw.chance(0.9)
          ? { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }] }
          : draw.pick(anyJson),
        generate_response: draw.chance(0.95) ? response() : draw.pick(anyJson),
      }
    : {
        model: 'tiny',
        generate_responses: draw.chance(0.95) ? draw.list(0, 2, response) : draw.pick(anyJson),
      };
  const fields: Fields = {
    model: ['tiny', null, '', 'absent', 5],
    prompt_tokens: isChat ? [3, 0, -1, 'x', null] : [[3], [1, 2], [], 5, null, ['x']],
    prompt_token_ids: [[1, 2], null, 5],
    prompt: ['x', null, 5],
  };
  return {
    ...{ method: 'POST', path: `/v1/${isChat ? 'chat/' : ''}completions/derender` },
    body: addFields(draw, body, fields, 1),
  };
}

export function tokenizeRequest(draw: Draw): FuzzRequest {
  const form = draw.integer(0, 9);
  const body: Record<string, unknown> = { model: 'tiny' };
  if (form < 5) body['prompt'] = draw.make([text, text, text, '', loneSurrogate, 5, null, ['a']]);
  if (form >= 4 && form < 9) body['messages'] = conversation(draw);
  const fields: Fields = {
    model: ['tiny', null, '', 'absent', 5],
    add_special_tokens: [true, false, null, 'x'],
    return_token_strs: [true, false, null, 'x'],
    add_generation_prompt: [true, false, null, 'x'],
    continue_final_message: [true, false, null, 'x'],
    chat_template: ['{{ messages[0].content }}', null, 5],
    chat_template_kwargs: [null, {}, { enable_thinking: false }, 5],
    mm_processor_kwargs: [null, { a: 1 }, 5],
    tools: [tools],
  };
  return { method: 'POST', path: '/tokenize', body: addFields(draw, body, fields, 3) };
}

export function detokenizeRequest(draw: Draw): FuzzRequest {
  const tokens = draw.chance(0.5)
    ? draw.list(0, 12, () => draw.integer(0, 151_935))
    : draw.make([[], [-1], [151_936], [2 ** 31], [2 ** 64], ['5'], ['a'], [1.5], 5, null, [null]]);
  const fields: Fields = { model: ['tiny', null, '', 'absent', 5], tokens: [tokens] };
  return {
    ...{ method: 'POST', path: '/detokenize' },
    body: addFields(draw, { model: 'tiny', tokens }, fields, 1),
  };
}
