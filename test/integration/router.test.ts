// The router against scripted engines on real sockets.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  type RouterOptions,
  type RunningRouter,
  startRouter,
} from '../../src/apps/router/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import {
  chunk,
  eventStreamHead,
  respond,
  type Script,
  type ScriptedEngine,
  startScriptedEngine,
} from '../support/scripted-engine.ts';

const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });

async function stack(
  context: TestContext,
  scripts: readonly Script[],
  options: Partial<RouterOptions> = {},
): Promise<{ router: RunningRouter; engines: ScriptedEngine[] }> {
  const engines = await Promise.all(scripts.map((script) => startScriptedEngine(script)));
  const router = await startRouter({
    port: 0,
    engines: engines.map(({ url }) => ({ url, models: [] })),
    policy: 'roundrobin',
    log,
    tickMs: 20,
    ...options,
  });
  context.after(async () => {
    await router.close(0);
    await Promise.all(engines.map((engine) => engine.close()));
  });
  await router.probed;
  return { router, engines };
}

function post(router: RunningRouter, body: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(`${router.url}/v1/chat/completions`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  });
}

const hello = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] };

test('requests go to the engines in turn, unchanged, and their answers come back unchanged', async (context) => {
  const { router, engines } = await stack(context, [{}, {}]);
  for (let i = 0; i < 4; i++) {
    const response = await post(router, hello, { headers: { 'x-request-id': `id-${i}` } });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('x-request-id'), `id-${i}`);
    assert.deepEqual(await response.json(), { ok: true });
  }
  assert.deepEqual(
    engines.map(({ received }) => received.length),
    [2, 2],
  );
  const [request] = engines[0]?.received ?? [];
  assert.equal(request?.body, JSON.stringify(hello));
  assert.equal(request?.headers.get('host'), engines[0]?.url.slice('http://'.length));
});

test('a stream is passed on event by event', async (context) => {
  let finish = () => {};
  const { router } = await stack(context, [
    {
      onRequest: ({ socket }) => {
        socket.write(eventStreamHead + chunk('data: {"first":1}\n\n'));
        finish = () => socket.write(chunk('data: [DONE]\n\n') + chunk(''));
      },
    },
  ]);
  const response = await post(router, { ...hello, stream: true });
  const reader = response.body?.getReader();
  const first = await reader?.read();
  assert.equal(Buffer.from(first?.value ?? []).toString(), 'data: {"first":1}\n\n');
  finish();
  const second = await reader?.read();
  assert.equal(Buffer.from(second?.value ?? []).toString(), 'data: [DONE]\n\n');
  assert.equal((await reader?.read())?.done, true);
});

test('an unknown model is 404, a missing one and broken JSON 400, as OpenAI error objects', async (context) => {
  const { router } = await stack(context, [{}]);
  const errorOf = async (body: unknown) => {
    const response = await post(router, body);
    const { error } = (await response.json()) as { error: Record<string, unknown> };
    return [response.status, error['type'], error['param'], error['code']];
  };
  assert.deepEqual(await errorOf({ model: 'x' }), [404, 'NotFoundError', 'model', 404]);
  assert.deepEqual(await errorOf({}), [400, 'BadRequestError', 'model', 400]);
  assert.deepEqual(await errorOf('{"model":'), [400, 'BadRequestError', null, 400]);
});

test('an engine that answers 503 passes its request to another', async (context) => {
  const { router, engines } = await stack(context, [
    { onRequest: ({ socket }) => respond(socket, 503, '{"error":{}}') },
    {},
  ]);
  for (let i = 0; i < 2; i++) assert.equal((await post(router, hello)).status, 200);
  assert.equal(engines[1]?.received.length, 2);
});
