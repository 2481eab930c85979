import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as conventions from '@opentelemetry/semantic-conventions/incubating';
import { genAiAttributes, genAiOperation } from './index.ts';

/** Names of vLLM's that the conventions never had. */
const ofVllm = ['gen_ai.latency.time_to_first_token'];

const attributes = genAiAttributes({
  operation: 'chat',
  model: 'llama',
  responseModel: 'llama',
  outputTokensMax: 100,
  temperature: 0,
  topP: 1,
  inputTokens: 10,
  outputTokens: 5,
  finishReasons: ['stop'],
  firstTokenSeconds: 0.5,
});

test('token counts and the provider have the names of today and those of before', () => {
  assert.equal(attributes['gen_ai.usage.input_tokens'], 10);
  assert.equal(attributes['gen_ai.usage.prompt_tokens'], 10);
  assert.equal(attributes['gen_ai.usage.output_tokens'], 5);
  assert.equal(attributes['gen_ai.usage.completion_tokens'], 5);
  assert.equal(attributes['gen_ai.provider.name'], 'vllm');
  assert.equal(attributes['gen_ai.system'], 'vllm');
});

test('each name is one of the published conventions, or vLLM’s', () => {
  const known = new Set<unknown>([...Object.values(conventions), ...ofVllm]);
  assert.deepEqual(
    Object.keys(attributes).filter((name) => !known.has(name)),
    [],
  );
});

test('paths of the API have the operation’s name of the conventions', () => {
  assert.equal(genAiOperation('/v1/chat/completions'), 'chat');
  assert.equal(genAiOperation('/v1/messages'), 'chat');
  assert.equal(genAiOperation('/v1/completions'), 'text_completion');
  assert.equal(genAiOperation('/v1/embeddings'), 'embeddings');
  assert.equal(genAiOperation('/v1/rerank'), undefined);
});
