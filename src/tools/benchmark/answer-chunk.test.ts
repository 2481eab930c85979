import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEmbeddings, readMessagesEvent, readResponsesEvent } from './answer-chunk.ts';

const nothing = {
  hasTokens: false,
  text: '',
  isFinished: false,
  usage: undefined,
  error: undefined,
};

test('reads the events of Anthropic’s Messages: tokens, counts with the cache, the end, errors', () => {
  const read = (json: object) => readMessagesEvent(JSON.stringify(json));
  const delta = (fields: object) => read({ type: 'content_block_delta', index: 0, delta: fields });
  assert.deepEqual(delta({ type: 'text_delta', text: 'a' }), {
    ...nothing,
    hasTokens: true,
    text: 'a',
  });
  assert.equal(delta({ type: 'thinking_delta', thinking: 'b' }).hasTokens, true);
  assert.equal(delta({ type: 'signature_delta', signature: 'c' }).hasTokens, false);
  assert.deepEqual(read({ type: 'ping' }), nothing);
  const usage = {
    ...{ input_tokens: 11, output_tokens: 5 },
    ...{ cache_creation_input_tokens: 20, cache_read_input_tokens: 128 },
  };
  assert.deepEqual(read({ type: 'message_delta', delta: {}, usage }).usage, {
    ...{ promptTokens: 159, outputTokens: 5, cachedTokens: 128 },
  });
  assert.equal(
    read({ type: 'message_start', message: { usage: { input_tokens: 3 } } }).usage?.promptTokens,
    3,
  );
  assert.equal(read({ type: 'message_stop' }).isFinished, true);
  const error = { type: 'overloaded_error', message: 'Overloaded' };
  assert.equal(read({ type: 'error', error }).error, 'Overloaded');
});

test('reads the events of the Responses API: tokens, counts, the end, errors', () => {
  const read = (json: object) => readResponsesEvent(JSON.stringify(json));
  assert.deepEqual(read({ type: 'response.output_text.delta', delta: 'a' }), {
    ...{ ...nothing, hasTokens: true, text: 'a' },
  });
  assert.equal(read({ type: 'response.reasoning_text.delta', delta: 'b' }).hasTokens, true);
  assert.deepEqual(read({ type: 'response.created', response: { usage: null } }), nothing);
  const usage = {
    ...{ input_tokens: 7, output_tokens: 2, total_tokens: 9 },
    input_tokens_details: { cached_tokens: 4 },
  };
  const completed = read({ type: 'response.completed', response: { usage, error: null } });
  assert.deepEqual(completed, {
    ...nothing,
    isFinished: true,
    usage: { promptTokens: 7, outputTokens: 2, cachedTokens: 4 },
  });
  const failed = { type: 'response.failed', response: { error: { message: 'no memory' } } };
  assert.equal(read(failed).error, 'no memory');
  assert.equal(read({ type: 'error', message: 'stopped' }).error, 'stopped');
});

test('an embedding counts as one chunk without output tokens', () => {
  const usage = { prompt_tokens: 7, total_tokens: 7 };
  const chunk = readEmbeddings(JSON.stringify({ data: [{ embedding: [1] }], usage }));
  assert.deepEqual([chunk.hasTokens, chunk.isFinished, chunk.usage?.outputTokens], [true, true, 0]);
  assert.equal(readEmbeddings(JSON.stringify({ data: [] })).hasTokens, false);
  assert.throws(() => readEmbeddings('[]'), SyntaxError);
});
