import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { answeredApi } from './answered-api.ts';

/** A server with these routes; others are 404. @returns What the model of it answers. */
async function answeredBy(
  context: TestContext,
  routes: Readonly<Record<string, readonly [status: number, body?: string]>>,
) {
  const server = createServer((request, response) => {
    const route = routes[`${request.method} ${request.url}`] ?? routes[request.url ?? ''];
    const [status, body = ''] = route ?? [404];
    response.writeHead(status).end(body);
  });
  context.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const engine = { url: `http://127.0.0.1:${port}`, model: 'm' };
  return answeredApi(engine, new AbortController().signal);
}

const there = [405] as const;

test('a model with chats is asked for one, on servers of any maker', async (t) => {
  assert.equal(await answeredBy(t, { '/v1/chat/completions': there }), 'chat');
  assert.equal(await answeredBy(t, { '/v1/chat/completions': [401] }), 'chat');
  assert.equal(await answeredBy(t, {}), 'chat', 'nothing says otherwise');
});

test('a model without a chat template is asked for a completion', async (t) => {
  const refusal = 'As of transformers v4.44, default chat template is no longer allowed';
  const routes = { '/v1/chat/completions': there, 'POST /tokenize': [400, refusal] } as const;
  assert.equal(await answeredBy(t, routes), 'completion');
  assert.equal(await answeredBy(t, { '/v1/completions': there }), 'completion');
});

test('a model without text is asked on a route that its engine has', async (t) => {
  const scoring = { '/score': there, '/rerank': there };
  assert.equal(await answeredBy(t, { ...scoring, '/v1/embeddings': there }), 'embedding');
  assert.equal(await answeredBy(t, scoring), 'rerank');
  assert.equal(await answeredBy(t, { '/score': there }), 'score');
  assert.equal(await answeredBy(t, { '/classify': there, '/pooling': there }), 'classify');
  assert.equal(await answeredBy(t, { '/pooling': there }), 'pooling');
});

test('an older vLLM has all routes, and answers on one of them', async (t) => {
  const all = { '/v1/chat/completions': there, '/v1/embeddings': there, '/pooling': there };
  assert.equal(await answeredBy(t, { ...all, 'POST /v1/embeddings': [200, '{}'] }), 'embedding');
  const refusal = [400, 'The model does not support Embeddings API'] as const;
  assert.equal(await answeredBy(t, { ...all, 'POST /v1/embeddings': refusal }), 'chat');
});

test('an engine that does not respond leaves it at a chat, in time', async (context) => {
  const server = createServer(() => {});
  context.after(() => server.close().closeAllConnections());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const started = performance.now();
  assert.equal(await answeredApi({ url, model: 'm' }, new AbortController().signal), 'chat');
  assert.ok(performance.now() - started < 6_000);
});
