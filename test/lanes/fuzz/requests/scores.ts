// Requests to the scoring routes, structured decisions and generative scoring; and to SageMaker's
// route, which accepts chat and completions.
import type { Draw } from '../draw.ts';
import { addFields, type Fields } from './fields.ts';
import { chatRequest, completionRequest } from './generation.ts';
import type { FuzzRequest } from './index.ts';
import { anyJson, text } from './texts.ts';

const question = (draw: Draw): unknown =>
  draw.make([
    { type: 'noul' },
    { type: 'noul', instructions: 'Is it warm?' },
    { type: 'noul', criteria: { true: 'yes it is' } },
    { type: 'noul', criteria: { maybe: 'x' } },
    { type: 'noul', criteria: [] },
    { type: 'choice', criteria: { a: 'first', b: null } },
    { type: 'choice', criteria: { a: 1 }, instructions: { x: 1 } },
    { type: 'choice', criteria: {} },
    { type: 'choice', criteria: ['a'] },
    { type: 'choice' },
    { type: 'score', criteria: ['bad', 'fair', 'good'] },
    { type: 'score', criteria: ['one'] },
    { type: 'score', criteria: ['same', 'same'] },
    { type: 'score', criteria: Array.from({ length: 11 }, (_, i) => `level ${i}`) },
    { type: 'x' },
    { type: 5 },
    { type: 'noul', unknown: 1 },
    {},
    5,
  ]);

export function decisionRequest(draw: Draw): FuzzRequest {
  const ids = draw.list(0, 3, () => draw.pick(['q', 'r', 'ünï', '']));
  const body = {
    model: 'tiny',
    state: draw.make([text, text, { a: [1, 'ü', null] }, 5, null, '', [1, 2]]),
    questions: draw.chance(0.92)
      ? Object.fromEntries(ids.map((id) => [id, question(draw)]))
      : draw.pick(anyJson),
  };
  const fields: Fields = {
    model: ['tiny', null, '', 'absent', 5],
    instructions: ['Be fair.', '', null, 5],
    images: [null, [], ['data:image/png;base64,AAAA'], 5],
    audio: [null, [], ['x']],
    videos: [[], [5]],
    chat_template_kwargs: [null, {}, { enable_thinking: true }, { enable_thinking: false }, 5],
    cache_salt: ['salt', '', 'a/b', 5, null],
    priority: [0, 1, 'x', 2 ** 64],
    request_id: ['mine', 5, null],
    frobnicate: [1],
  };
  return { method: 'POST', path: '/v1/systemone', body: addFields(draw, body, fields, 2) };
}

export function scoringRequest(draw: Draw): FuzzRequest {
  const body = {
    model: 'tiny',
    query: draw.make([text, text, [1, 2, 3], '', [], ['a'], [-1], [151_936], 5, null]),
    items: draw.make([
      (each: Draw) => each.list(1, 3, text),
      (each: Draw) => each.list(1, 3, text),
      [[1], [2, 3]],
      [],
      [''],
      [[]],
      ['a', [1]],
      [[-1]],
      [[151_936]],
      [5],
      'x',
      5,
      null,
    ]),
    label_token_ids: draw.make([[9693, 2152], [9693], [], [-1], [151_936], [5, 5], ['x'], 5, null]),
  };
  const fields: Fields = {
    model: ['tiny', null, '', 'absent', 5],
    apply_softmax: [true, false, null, 'x'],
    item_first: [true, false, null, 'x'],
    add_special_tokens: [true, false, null, 'x'],
    cache_salt: ['salt', '', 'a/b', 5, null],
    priority: [0, 1, 'x', null],
    request_id: ['mine', 5, null],
    label_token_ids: [Array.from({ length: 21 }, (_, i) => i), [1.5], ['5']],
    frobnicate: [1],
  };
  return { method: 'POST', path: '/generative_scoring', body: addFields(draw, body, fields, 2) };
}

export function invocationRequest(draw: Draw): FuzzRequest {
  const request = draw.chance(0.5) ? chatRequest(draw) : completionRequest(draw);
  const body = draw.chance(0.9) ? request.body : draw.pick(anyJson);
  return { ...request, path: '/invocations', body: body ?? 'null' };
}
