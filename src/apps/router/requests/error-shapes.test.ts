import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorEvent, errorJson } from './error-shapes.ts';

const gone = { status: 502, message: 'Engine http://a: gone' };

test('errors of /v1/messages and of its counting have Anthropic’s shape with vLLM’s types', () => {
  for (const target of [
    ...['/v1/messages', '/v1/messages?beta=true', '/v1/messages/count_tokens', '/api/v1/messages'],
  ]) {
    assert.equal(
      errorJson(target, { status: 404, message: 'no such model', param: 'model' }),
      '{"type":"error","error":{"type":"NotFoundError","message":"no such model"}}',
    );
  }
});

test('other errors have OpenAI’s shape', () => {
  const openAi =
    '{"error":{"message":"Engine http://a: gone","type":"BadGatewayError","param":null,"code":502}}';
  for (const target of ['/v1/responses', '/v1/chat/completions', '/v1/messages/batches', '/']) {
    assert.equal(errorJson(target, gone), openAi);
  }
});

test('a stream ends with the error event of its API', () => {
  assert.equal(
    errorEvent('/v1/messages', gone),
    'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"Engine http://a: gone"}}\n\n',
  );
  assert.equal(
    errorEvent('/v1/responses', gone, 7),
    'event: error\ndata: {"type":"error","code":"BadGatewayError","message":"Engine http://a: gone","param":null,' +
      '"sequence_number":7,"error":{"message":"Engine http://a: gone","type":"BadGatewayError","param":null,"code":502}}\n\n',
  );
  assert.doesNotMatch(errorEvent('/v1/responses', gone), /sequence_number/);
  assert.match(errorEvent('/v1/completions', gone), /^data: \{"error":/);
});

for (const [status, type] of [
  [429, 'rate_limit_error'],
  [500, 'api_error'],
  [503, 'overloaded_error'],
  [504, 'timeout_error'],
] as const) {
  test(`a message that ends with status ${status} has Anthropic’s ${type}`, () => {
    const event = errorEvent('/v1/messages', { status, message: 'm' });
    assert.ok(event.includes(`"error":{"type":"${type}"`));
  });
}
