import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  askingStart,
  continuationOf,
  restAfterStart,
  withTokenIds,
} from './continuation-request.ts';
import { TokenList } from './token-list.ts';

const encoder = new TextEncoder();

/** The request that continues after four tokens of a response to a prompt of three. */
function continued(kind: 'chat' | 'completion', body: object, isReasoning = false) {
  const tokens = new TokenList();
  for (const id of [5, 6, 7, 8]) tokens.push(id);
  const bytes = encoder.encode(JSON.stringify(body));
  const prompt = { kind, promptIds: '1,2,3', promptTokens: 3 };
  const next = continuationOf(bytes, { ...prompt, tokens, sentTokens: 4, isReasoning });
  if (typeof next === 'string') return next;
  if (next.repeats) return 'repeated';
  return JSON.parse(new TextDecoder().decode(next.body)) as object;
}

const chat = { model: 'm', messages: [{ role: 'user', content: 'a } "max_tokens": 1' }] };
const chatAfter = {
  ...chat,
  kv_transfer_params: { prompt_token_ids: [1, 2, 3, 5, 6, 7, 8] },
  truncate_prompt_tokens: null,
};
const completion = { model: 'm', prompt: 'Once' };
const completionAfter = { model: 'm', prompt: [1, 2, 3, 5, 6, 7, 8], truncate_prompt_tokens: null };

test('a chat continues with the tokens so far in place of its messages', () => {
  assert.deepEqual(continued('chat', chat), chatAfter);
});

test('a completion continues with the tokens so far as its prompt', () => {
  assert.deepEqual(continued('completion', completion), { ...completionAfter, max_tokens: 12 });
});

test('limits on tokens are reduced by those sent', () => {
  assert.deepEqual(
    continued('chat', { ...chat, max_tokens: 10, max_completion_tokens: 9, min_tokens: 6 }),
    { ...chatAfter, max_tokens: 6, max_completion_tokens: 5, min_tokens: 2 },
  );
  assert.deepEqual(continued('completion', { ...completion, max_tokens: 9, min_tokens: 2 }), {
    ...{ ...completionAfter, max_tokens: 5, min_tokens: 0 },
  });
  assert.equal(continued('completion', { ...completion, max_tokens: 4 }), 'length');
});

test('the seed moves on, so that the engine does not draw the noise of the first tokens again', () => {
  assert.deepEqual(continued('chat', { ...chat, seed: 7 }), { ...chatAfter, seed: 11 });
  assert.deepEqual(continued('chat', { ...chat, seed: -3 }), { ...chatAfter, seed: 1 });
  const tokens = new TokenList();
  for (let i = 0; i < 3; i++) tokens.push(i);
  const body = encoder.encode('{"model":"m","seed":9223372036854775807}');
  const next = continuationOf(body, {
    ...{ kind: 'chat', promptIds: '1', promptTokens: 1, tokens },
    ...{ sentTokens: 3, isReasoning: false },
  });
  assert.ok(typeof next === 'object');
  assert.match(new TextDecoder().decode(next.body), /"seed":9223372036854775804/);
});

const refused: readonly (readonly [string, object, 'chat' | 'completion'])[] = [
  ['choices', { n: 2 }, 'chat'],
  ['choices', { best_of: 3 }, 'completion'],
  ['choices', { use_beam_search: true }, 'chat'],
  ['choices', { prompt: ['a', 'b'] }, 'completion'],
  ['choices', { prompt: [[1], [2]] }, 'completion'],
  ['logprobs', { logprobs: true }, 'chat'],
  ['logprobs', { logprobs: 0 }, 'completion'],
  ['logprobs', { prompt_logprobs: 0 }, 'chat'],
  ['echo', { echo: true }, 'completion'],
  ['penalties', { presence_penalty: 0.1 }, 'chat'],
  ['penalties', { frequency_penalty: 1, repetition_penalty: 1.1 }, 'chat'],
  ['penalties', { frequency_penalty: 2, logit_bias: { 5: -99 } }, 'chat'],
  ['badWords', { bad_words: ['x y'] }, 'chat'],
  ['constrained', { response_format: { type: 'json_object' } }, 'chat'],
  ['constrained', { structured_outputs: { choice: ['a'] } }, 'completion'],
  ['constrained', { guided_json: {} }, 'completion'],
  ['constrained', { tool_choice: 'required' }, 'chat'],
  ['constrained', { tool_choice: { type: 'function', function: { name: 'f' } } }, 'chat'],
  ['stop', { stop: 'END' }, 'chat'],
  ['stop', { stop: ['END'] }, 'completion'],
  ['kvTransfer', { kv_transfer_params: {} }, 'chat'],
];

for (const [reason, fields, kind] of refused) {
  test(`${JSON.stringify(fields)} cannot be continued exactly: ${reason}`, () => {
    const base = kind === 'chat' ? chat : completion;
    assert.equal(continued(kind, { ...base, ...fields }), reason);
    const greedy = continued(kind, { ...base, ...fields, temperature: 0 });
    const isNever = ['choices', 'echo', 'kvTransfer'].includes(reason);
    assert.equal(greedy, isNever ? reason : 'repeated');
  });
}

test('a request is repeated if engines write the same response to it', () => {
  for (const fields of [{ seed: 7 }, { top_k: 1 }, { temperature: 0 }]) {
    assert.equal(continued('chat', { ...chat, presence_penalty: 1, ...fields }), 'repeated');
  }
  for (const fields of [{ seed: null }, { top_k: 20 }, { temperature: 0.1 }]) {
    assert.equal(continued('chat', { ...chat, presence_penalty: 1, ...fields }), 'penalties');
  }
  const both = { presence_penalty: 1, n: 2, temperature: 0 };
  assert.equal(continued('chat', { ...chat, ...both }), 'choices');
});

test('the frequency penalty of the tokens sent becomes their bias', () => {
  const fields = { frequency_penalty: 0.5, logit_bias: { 6: 2, 9: 1 } };
  const tokens = new TokenList();
  for (const id of [5, 6, 5, 5]) tokens.push(id);
  const next = continuationOf(encoder.encode(JSON.stringify({ ...chat, ...fields })), {
    ...{ kind: 'chat', promptIds: '5', promptTokens: 1, tokens },
    ...{ sentTokens: 3, isReasoning: false },
  });
  assert.ok(typeof next === 'object');
  const { logit_bias: bias, frequency_penalty: penalty } = JSON.parse(
    new TextDecoder().decode(next.body),
  );
  assert.deepEqual([bias, penalty], [{ 5: -1, 6: 1.5, 9: 1 }, 0.5]);
});

test('a grammar applies to what follows the reasoning, and is no obstacle before', () => {
  const format = { response_format: { type: 'json_object' } };
  assert.deepEqual(continued('chat', { ...chat, ...format }, true), { ...chatAfter, ...format });
  assert.equal(continued('chat', { ...chat, ...format, bad_words: ['x'] }, true), 'badWords');
});

test('the same fields without effect can', () => {
  const fields = {
    ...{ n: 1, best_of: 1, use_beam_search: false, logprobs: false, prompt_logprobs: null },
    ...{ echo: false, presence_penalty: 0, frequency_penalty: 0, bad_words: [], stop: [] },
    ...{ response_format: { type: 'text' }, tool_choice: 'auto', structured_outputs: null },
    ...{ kv_transfer_params: null, tools: [], repetition_penalty: 1.2, frequency_penalty: 0 },
    ...{ thinking_token_memory: 5 },
  };
  const { kv_transfer_params: _, ...kept } = fields;
  assert.deepEqual(continued('chat', { ...chat, ...fields }), { ...chat, ...kept, ...chatAfter });
});

test('stop strings of one character can, as no text is held back for them, and none spans the join', () => {
  for (const stop of ['\n', '🙂', ['\n', '.']]) {
    assert.deepEqual(continued('chat', { ...chat, stop }), { ...chatAfter, stop });
  }
  assert.equal(continued('chat', { ...chat, stop: ['\n', '\n\n'] }), 'stop');
  assert.equal(continued('chat', { ...chat, stop: 7 }), 'stop');
});

test('a request of more than a megabyte is not continued', () => {
  const messages = [{ role: 'user', content: 'x'.repeat(1024 * 1024) }];
  assert.equal(continued('chat', { ...chat, messages }), 'large');
});

test('asking for ids changes nothing else', () => {
  const body = encoder.encode(' {"model":"m","n":1} ');
  const asked = new TextDecoder().decode(withTokenIds(body));
  assert.equal(asked, '{"return_token_ids":true,"model":"m","n":1} ');
  assert.equal(askingStart + new TextDecoder().decode(body.subarray(restAfterStart(body))), asked);
});
