// What clients of the Messages and Responses APIs see when the router itself refuses a request or ends a stream early.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonHeaders, model, startFaulty, textOf } from '../support/faulty-stack.ts';
import { cut, messagesPath, responsesPath } from '../support/named-streams.ts';

const bodies = {
  [messagesPath]: { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 40 },
  [responsesPath]: { input: 'Hi', max_output_tokens: 40 },
};

function post(url: string, path: string, body: object): Promise<Response> {
  return fetch(`${url}${path}`, {
    method: 'POST',
    headers: jsonHeaders,
    body: JSON.stringify(body),
  });
}

for (const [path, hasMigration, expected] of [
  [messagesPath, false, { type: 'error', error: { type: 'api_error' } }],
  [messagesPath, true, { type: 'error', error: { type: 'api_error' } }],
  [responsesPath, false, { type: 'error', code: 'BadGatewayError', param: null }],
  // The events before it have the numbers 0 to 8.
  [responsesPath, true, { type: 'error', code: 'BadGatewayError', sequence_number: 9 }],
] as const) {
  const how = hasMigration ? 'cannot move' : 'may not move';
  test(`a stream that breaks and ${how} ends with the error event of its API: ${path}`, async (t) => {
    const { router } = await startFaulty(t, [cut(9)], {
      router: { migration: hasMigration, deadlines: { engineWaitSeconds: 0 } },
    });
    const response = await post(router.url, path, {
      model,
      stream: true,
      temperature: 1,
      ...bodies[path],
    });
    const text = await textOf(response);
    const [name, data = ''] = text.trimEnd().split('\n').slice(-2);
    assert.equal(name, 'event: error');
    const error = JSON.parse(data.slice('data: '.length));
    assert.match(error.message ?? error.error.message, /^Engine http:/);
    assert.partialDeepStrictEqual(error, expected);
    assert.doesNotMatch(text, /message_stop|response\.completed/);
  });
}

test('a request for an unknown model is refused in the shape that the engine uses for it', async (t) => {
  const { engines, router } = await startFaulty(t, [{}]);
  for (const [path, body] of Object.entries({
    ...bodies,
    '/v1/messages/count_tokens': { messages: bodies[messagesPath].messages },
  })) {
    const request = { model: 'none', ...body };
    const own = await post(router.url, path, request);
    const theirs = await post(engines[0]?.url ?? '', path, request);
    assert.equal(own.status, 404, path);
    assert.equal(theirs.status, 404, path);
    const [ours, engines_] = [await own.json(), await theirs.json()] as [Shape, Shape];
    assert.deepEqual(Object.keys(ours), Object.keys(engines_), path);
    assert.deepEqual(Object.keys(ours.error).toSorted(), Object.keys(engines_.error).toSorted());
    assert.equal(ours.error.type, engines_.error.type, path);
  }
});

interface Shape {
  readonly error: { readonly type: string };
}

test('a message without the key, or with too large a body, has Anthropic’s error object before its body is read', async (t) => {
  const { router } = await startFaulty(t, [{}], {
    router: { apiKey: 'secret', server: { requestBytesMax: 100 } },
  });
  const headers = { ...jsonHeaders, authorization: 'Bearer secret' };
  for (const [status, type, init] of [
    [401, 'AuthenticationError', { headers: jsonHeaders, body: '{}' }],
    [413, 'RequestTooLargeError', { headers, body: ' '.repeat(101) }],
  ] as const) {
    const response = await fetch(`${router.url}${messagesPath}`, { method: 'POST', ...init });
    const json = (await response.json()) as Shape & { readonly type: string };
    assert.deepEqual([response.status, json.type, json.error.type], [status, 'error', type]);
  }
});

test('a message without an engine, without a model or with another method has Anthropic’s error object', async (t) => {
  const { engines, router } = await startFaulty(t, [{}], {
    router: { deadlines: { engineWaitSeconds: 0 } },
  });
  await engines[0]?.close();
  const body = bodies[messagesPath];
  for (const [status, response] of [
    [400, await post(router.url, messagesPath, body)],
    [405, await fetch(`${router.url}${messagesPath}`)],
    [503, await post(router.url, messagesPath, { model, ...body })],
  ] as const) {
    const { type, error } = (await response.json()) as Shape & { readonly type: string };
    assert.deepEqual(
      [response.status, type, Object.keys(error)],
      [status, 'error', ['type', 'message']],
    );
  }
});
