import assert from 'node:assert/strict';
import { test } from 'node:test';
import { samplingParams } from './sampling-params.ts';

const options = { maxTokens: 5, isStream: false };

test('uses the server’s defaults for fields that the request does not set', () => {
  const params = samplingParams(
    { top_p: 0.5 },
    { temperature: 0.6, top_p: 0.9, top_k: 20 },
    options,
  );
  assert.equal(params['temperature'], 0.6);
  assert.equal(params['top_p'], 0.5);
  assert.equal(params['top_k'], 20);
});

test('greedy sampling resets the filters, and fields equal to their defaults are omitted', () => {
  const params = samplingParams(
    { temperature: 0, top_k: 5, seed: 3 },
    {},
    { ...options, maxTokens: 16 },
  );
  assert.deepEqual(
    ['top_p', 'top_k', 'min_p', 'max_tokens', 'n'].filter((name) => name in params),
    [],
  );
  assert.equal(params['seed'], 3);
});
