// Requests to the routes that take or give tokens, and to batch chat.
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
  features: [null, {}, 5],
  content_parts: [null, [], 5],
  kv_transfer_params: [null, {}, 5],
  token_ids: [[1, 2, 3], [], [-1], [151_936], ['x'], 'x', null, [1.5], [true]],
  sampling_params: [null, 5, 'x', { max_tokens: 'x' }, { n: 2, temperature: 1, max_tokens: 2 }],
};

export function generateRequest(draw: Draw): FuzzRequest {
  const sampling = addFields(
    draw,
    { max_tokens: 3, temperature: 0, ignore_eos: true },
    { ...samplingFields, logprobs: [0, 1, 3, 21, -1, -2, 'x', null] },
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

export function derenderRequest(draw: Draw): FuzzRequest {
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
