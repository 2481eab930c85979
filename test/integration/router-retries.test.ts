// When the router sends a request to another engine, and when it must not, on real sockets.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { RouterOptions, RunningRouter } from '../../src/apps/router/index.ts';
import { parseEngineViews } from '../../src/core/views/index.ts';
import { exchangeBytes, post, stack } from '../support/router-stack.ts';
import {
  chunk,
  eventStreamHead,
  type ReceivedRequest,
  respond,
  type Script,
  type ScriptedEngine,
} from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';

const hello = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] };
const serves: Script = { onRequest: ({ socket }) => respond(socket, 200, '{"ok":true}') };

type Action = (request: ReceivedRequest) => void;

/** An engine that fails, and a healthy one; round robin asks the first one first. */
async function failing(context: TestContext, onRequest: Action, options?: Partial<RouterOptions>) {
  const { router, engines } = await stack(context, [{ onRequest }, serves], options);
  return { router, asked: () => engines.map(({ received }) => received.length) };
}

async function errorOf(response: Response): Promise<string> {
  const { error } = (await response.json()) as { error: { message: string } };
  return error.message;
}

async function metricsOf(router: RunningRouter): Promise<string> {
  return (await fetch(`${router.url}/metrics`)).text();
}

async function engineViews(router: RunningRouter) {
  const response = await fetch(`${router.url}/engines`);
  return (await response.json()) as {
    state: string;
    load: { inflight: number; prefillTokens: number; decodeTokens: number };
    totals: { requests: number; errors: number; retries: number };
  }[];
}

test('an engine that returns 503 stays in routing, and no part of its response reaches the client', async (context) => {
  const { router, asked } = await failing(context, ({ socket }) =>
    respond(socket, 503, '{"error":{"message":"busy"}}'),
  );
  const response = await post(router, hello);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { ok: true });
  assert.deepEqual(asked(), [1, 1]);
  const views = await engineViews(router);
  assert.deepEqual(
    views.map(({ state, totals }) => [state, totals.errors, totals.retries]),
    [
      ['live', 1, 0],
      ['live', 0, 1],
    ],
  );
  assert.match(await metricsOf(router), /spillway_router_reroutes_total\{[^}]*\} 1\.0\n/);
});

test('three engines that stop at once cost a request nothing while a fourth works', async (context) => {
  let engines: readonly ScriptedEngine[] = [];
  // Its kept connection breaks, and a new one is refused.
  const stops = (index: number): Script => ({ onRequest: () => void engines[index]?.close() });
  const started = await stack(context, [stops(0), stops(1), stops(2), serves]);
  engines = started.engines;
  const response = await post(started.router, hello);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { ok: true });
  assert.deepEqual(
    engines.map(({ received }) => received.length),
    [1, 1, 1, 1],
  );
  const views = await engineViews(started.router);
  assert.deepEqual(
    views.map(({ state, totals }) => [state, totals.errors]),
    [
      ['dead', 1],
      ['dead', 1],
      ['dead', 1],
      ['live', 0],
    ],
  );
});

test('if every engine returns 503, the client gets the last engine’s response', async (context) => {
  const busy = (name: string): Script => ({
    onRequest: ({ socket }) => respond(socket, 503, JSON.stringify({ from: name })),
  });
  const { router, engines } = await stack(context, [busy('first'), busy('second')]);
  const response = await post(router, hello);
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), { from: 'second' });
  assert.deepEqual(
    engines.map(({ received }) => received.length),
    [1, 1],
  );
  const states = (await engineViews(router)).map(({ state }) => state);
  assert.deepEqual(states, ['live', 'live']);
});

test('a request is tried on at most the allowed number of other engines, on none twice', async (context) => {
  for (const reroutesMax of [0, 1, 3]) {
    const scripts = Array.from({ length: 5 }, () => ({
      onRequest: ({ socket }: ReceivedRequest) => respond(socket, 503, '{}'),
    }));
    const { router, engines } = await stack(context, scripts, { reroutesMax });
    assert.equal((await post(router, hello)).status, 503);
    const asked = engines.map(({ received }) => received.length);
    assert.equal(Math.max(...asked), 1);
    assert.equal(
      asked.reduce((sum, one) => sum + one, 0),
      1 + reroutesMax,
    );
  }
});

test('a failure of an engine moves the request to another one; a client error goes to the client', async (context) => {
  for (const status of [400, 401, 404, 422, 429, 500, 501, 502, 503, 504]) {
    const { router, asked } = await failing(context, ({ socket }) =>
      respond(socket, status, `{"status":${status}}`),
    );
    // A 404 is about the model, which another engine may have.
    const isRetried = [404, 429, 500, 502, 503, 504].includes(status);
    const response = await post(router, hello);
    assert.equal(response.status, isRetried ? 200 : status);
    assert.deepEqual(await response.json(), isRetried ? { ok: true } : { status });
    assert.deepEqual(asked(), isRetried ? [1, 1] : [1, 0]);
    const [view] = await engineViews(router);
    const errors = status === 429 || status >= 500 ? 1 : 0;
    assert.deepEqual([view?.state, view?.totals.errors], ['live', errors], String(status));
  }
});

const broken: Readonly<Record<string, readonly [Action, Partial<RouterOptions>, number, RegExp]>> =
  {
    'breaks within its response’s head': [
      ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-', () => socket.resetAndDestroy()),
      {},
      502,
      /^Engine http:/,
    ],
    'responds with something that is not HTTP': [
      ({ socket }) => socket.write('SSH-2.0-x\r\n\r\n'),
      {},
      502,
      /not valid HTTP/,
    ],
    'sends no first byte in time': [
      () => {},
      { deadlines: { firstByteSeconds: 0.06 } },
      504,
      /no response within 0\.\d\d s/,
    ],
  };

for (const [what, [onRequest, options, status, message]] of Object.entries(broken)) {
  test(`when an engine ${what}, another one serves the request`, async (context) => {
    const { router, asked } = await failing(context, onRequest, options);
    const response = await post(router, hello);
    assert.deepEqual([response.status, await response.json()], [200, { ok: true }]);
    assert.deepEqual(asked(), [1, 1]);
    assert.equal((await engineViews(router))[0]?.state, 'live');
  });

  test(`a request on which each engine ${what} fails alone, on two of them`, async (context) => {
    const scripts = Array.from({ length: 4 }, () => ({ onRequest }));
    const { router, engines } = await stack(context, scripts, options);
    const response = await post(router, hello);
    assert.equal(response.status, status);
    assert.match(await errorOf(response), message);
    const asked = engines.reduce((sum, { received }) => sum + received.length, 0);
    assert.equal(asked, 2);
    assert.ok((await engineViews(router)).every(({ state }) => state === 'live'));
  });
}

test('a stream whose engine dies after the head and before the first token moves to another engine', async (context) => {
  const { router, asked } = await failing(context, ({ socket }) =>
    socket.write(eventStreamHead, () => setTimeout(() => socket.resetAndDestroy(), 20)),
  );
  const response = await post(router, { ...hello, stream: true });
  assert.deepEqual([response.status, await response.json()], [200, { ok: true }]);
  assert.deepEqual(asked(), [1, 1]);
});

const engineError =
  'data: {"error":{"message":"EngineCore encountered an issue.","type":"InternalServerError","param":null,"code":500}}\n\n';
const messagesError =
  'event: error\ndata: {"type":"error","error":{"type":"internal_error","message":"gone"}}\n\n';

for (const [what, path, body, error, options] of [
  ['a chat', '/v1/chat/completions', hello, engineError, {}],
  ['a chat that could not move', '/v1/chat/completions', { ...hello, n: 2 }, engineError, {}],
  ['a chat without migration', '/v1/chat/completions', hello, engineError, { migration: false }],
  ['a message', '/v1/messages', hello, messagesError, {}],
  ['a response', '/v1/responses', { model: 'm', input: 'Hello' }, engineError, {}],
] as const) {
  test(`an error as the first event of ${what} is no response yet: another engine serves it`, async (context) => {
    const { router, asked } = await failing(
      context,
      ({ socket }) => {
        const text = eventStreamHead + chunk(error);
        // The head alone, half of the event, and the rest.
        socket.write(text.slice(0, eventStreamHead.length));
        setTimeout(() => socket.write(text.slice(eventStreamHead.length, -30)), 10);
        setTimeout(
          () => socket.write(`${text.slice(-30)}${chunk('data: [DONE]\n\n')}0\r\n\r\n`),
          20,
        );
      },
      options,
    );
    const response = await fetch(`${router.url}${path}`, {
      ...{ method: 'POST', body: JSON.stringify({ ...body, stream: true }) },
    });
    assert.deepEqual([response.status, await response.json()], [200, { ok: true }]);
    assert.deepEqual(asked(), [1, 1]);
    const views = await engineViews(router);
    assert.deepEqual(
      views.map(({ totals }) => [totals.errors, totals.retries]),
      [
        [1, 0],
        [0, 1],
      ],
    );
    const page = await metricsOf(router);
    assert.match(page, /spillway_router_reroutes_total\{[^}]*\} 1\.0\n/);
    assert.doesNotMatch(page, /spillway_router_stream_migrations_total\{/);
  });
}

test('an error of the client as the first event reaches the client, and no engine is to blame', async (context) => {
  // A 404 is about the model, which another engine may have.
  for (const code of [400, 422]) {
    const event = engineError.replace('500', String(code));
    const { router, asked } = await failing(context, ({ socket }) =>
      socket.write(`${eventStreamHead}${chunk(event)}${chunk('data: [DONE]\n\n')}0\r\n\r\n`),
    );
    for (let i = 0; i < 12; i++) {
      const response = await post(router, { ...hello, stream: true });
      const text = await response.text();
      if (text !== '{"ok":true}') assert.equal(text, `${event}data: [DONE]\n\n`);
    }
    assert.deepEqual(asked(), [6, 6]);
    const [view] = await engineViews(router);
    assert.deepEqual([view?.totals.errors, view?.state], [0, 'live']);
  }
});

test('if every stream begins with an error, the client gets the last engine’s', async (context) => {
  const script = (name: string): Script => ({
    onRequest: ({ socket }) =>
      socket.write(`${eventStreamHead}${chunk(engineError.replace('EngineCore', name))}0\r\n\r\n`),
  });
  const { router } = await stack(context, [script('first'), script('second')]);
  const response = await post(router, { ...hello, stream: true });
  assert.equal(await response.text(), engineError.replace('EngineCore', 'second'));
  const errors = (await engineViews(router)).map(({ totals }) => totals.errors);
  assert.deepEqual(errors, [1, 1]);
});

test('a head without a body is held until the first byte of the body', async (context) => {
  let begin = () => {};
  const { router } = await stack(context, [
    {
      onRequest: ({ socket }) => {
        socket.write(eventStreamHead);
        begin = () => socket.write(`${chunk('data: 1\n\n')}0\r\n\r\n`);
      },
    },
  ]);
  let hasHead = false;
  const answer = post(router, { ...hello, stream: true }).then((response) => {
    hasHead = true;
    return response.text();
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(hasHead, false);
  begin();
  assert.equal(await answer, 'data: 1\n\n');
});

test('the connection to an engine that was too slow is closed', async (context) => {
  let closed = false;
  const { router } = await failing(
    context,
    ({ socket }) => {
      socket.on('close', () => {
        closed = true;
      });
    },
    { deadlines: { firstByteSeconds: 0.06 } },
  );
  assert.equal((await post(router, hello)).status, 200);
  await until(() => closed);
});

test('an engine that fails every request is ejected after a few of them', async (context) => {
  for (const policy of ['roundrobin', 'leastloaded', 'predictive']) {
    const { router, asked } = await failing(context, ({ socket }) => respond(socket, 500, '{}'), {
      policy,
    });
    for (let i = 0; i < 100; i++) assert.equal((await post(router, hello)).status, 200, policy);
    const [met = 0] = asked();
    assert.ok(met <= 8, `${policy}: ${met} of 100`);
    const views = parseEngineViews(await (await fetch(`${router.url}/engines`)).text());
    const [ejected, ...others] = views.filter((engine) => engine.ejected);
    assert.match(ejected?.reason ?? '', /ejected|failed/);
    assert.deepEqual(others, []);
  }
});

test('a stream without data for too long ends with an error event and without its last chunk', async (context) => {
  const { router } = await failing(
    context,
    ({ socket }) => socket.write(eventStreamHead + chunk('data: {"a":1}\n\n')),
    { deadlines: { streamIdleSeconds: 0.06 } },
  );
  const body = JSON.stringify({ ...hello, stream: true });
  const received = await exchangeBytes(
    router,
    `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  assert.match(
    received,
    /data: \{"a":1\}[\s\S]*data: \{"error":\{"message":"Engine [^"]*no data for 0\.\d\d s/,
  );
  assert.ok(!received.endsWith('0\r\n\r\n'));
});

test('a body that breaks off where no error event can follow is cut off, without a second attempt', async (context) => {
  const { router, asked } = await failing(context, ({ socket }) => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n';
    socket.write(`${head}{"half":`, () => socket.end());
  });
  const response = await post(router, hello);
  assert.equal(response.status, 200);
  await assert.rejects(response.text());
  assert.deepEqual(asked(), [1, 0]);
  const [view] = await engineViews(router);
  assert.deepEqual([view?.totals.errors, view?.load.inflight], [1, 0]);
});

test('a client that disconnects during the second attempt cancels it, and the load counts are zero', async (context) => {
  const { router, engines } = await stack(context, [
    { onRequest: ({ socket }) => respond(socket, 503, '{}') },
    { onRequest: () => {} },
  ]);
  const abort = new AbortController();
  const response = post(router, hello, { signal: abort.signal });
  await until(() => engines[1]?.received.length === 1);
  const socket = engines[1]?.received[0]?.socket;
  abort.abort();
  await assert.rejects(response);
  await until(() => socket?.destroyed === true);
  for (const { load } of await engineViews(router)) {
    assert.deepEqual([load.inflight, load.prefillTokens, load.decodeTokens], [0, 0, 0]);
  }
  const outcomes = (await metricsOf(router)).match(/^spillway_router_requests_total.* 1\.0$/gm);
  assert.equal(outcomes?.length, 1);
  assert.match(outcomes?.[0] ?? '', new RegExp(`outcome="cancelled".*:${engines[1]?.port}"`));
});

test('requests with a response of the router itself are counted under the status that the client got', async (context) => {
  const statuses = [
    [502, { onRequest: ({ socket }: ReceivedRequest) => socket.write('SSH-2.0-x\r\n\r\n') }, {}],
    [504, { onRequest: () => {} }, { deadlines: { firstByteSeconds: 0.06 } }],
  ] as const;
  for (const [status, script, options] of statuses) {
    const { router } = await stack(context, [script], options);
    assert.equal((await post(router, hello)).status, status);
    const counted = (await metricsOf(router)).match(/^\S*latency\S*_count\{.*status="(\d+)"/m);
    assert.equal(counted?.[1], String(status));
  }
});
