import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkLogprobCount,
  checkMultiplied,
  checkReadTokens,
  checkRendered,
} from './request-bounds.ts';

const refused = (message: RegExp) => ({ httpStatus: 400, message });
const ids = (count: number) => Array.from({ length: count }, (_, i) => i);

test('responses of all prompts count together', () => {
  checkMultiplied({ n: 16_384 }, 1);
  checkMultiplied({ n: 16 }, 1_024);
  assert.throws(() => checkMultiplied({ n: 17 }, 1_024), refused(/1024 prompts with 17 responses/));
});

test('entries count once per response', () => {
  checkMultiplied({ allowed_token_ids: ids(151_000), stop: ['a', 'b'] }, 1);
  checkMultiplied({ n: 16, stop_token_ids: ids(16_384) }, 1);
  assert.throws(
    () => checkMultiplied({ n: 16, stop_token_ids: ids(16_384), logit_bias: { 1: 1 } }, 1),
    refused(/16385 entries .* for each of 16 responses; .* at most 262144/),
  );
});

test('constraints count once per prompt', () => {
  const schema = { properties: Object.fromEntries(ids(500).map((id) => [`a${id}`, true])) };
  const request = { structured_outputs: { json: schema } };
  checkMultiplied(request, 1_000);
  assert.throws(
    () => checkMultiplied({ ...request, tools: ids(600) }, 1_000),
    refused(/1000 prompts/),
  );
});

test('tokens of prompts count once per response, and fewer may be repeated', () => {
  const prompts = [{ tokens: ids(16_384) }];
  checkReadTokens(prompts, { n: 1_024, repeats: false });
  checkReadTokens(prompts, { n: 128, repeats: true });
  assert.throws(() => checkReadTokens(prompts, { n: 1_025, repeats: false }), refused(/16777216/));
  assert.throws(() => checkReadTokens(prompts, { n: 129, repeats: true }), refused(/2097152/));
});

test('log probabilities are tokens, times alternatives', () => {
  checkLogprobCount(1e9, null);
  checkLogprobCount(65_536, 1);
  assert.throws(() => checkLogprobCount(65_537, 1), refused(/131074 .* at most 131072/));
});

test('conversations are rendered up to 32,768 values', () => {
  const messages = (count: number) => ids(count).map(() => ({ role: 'user', content: 'a' }));
  checkRendered(messages(10_000), []);
  assert.throws(() => checkRendered(messages(11_000), []), refused(/more than 32768 values/));
  assert.throws(() => checkRendered([], [{ documents: ids(33_000) }]), refused(/32768/));
  const call = { type: 'function', function: { name: 'f', arguments: '1,'.repeat(262_145) } };
  const spoken = { role: 'assistant', tool_calls: [call] };
  assert.throws(() => checkRendered([spoken], []), refused(/262144 commas/));
});
