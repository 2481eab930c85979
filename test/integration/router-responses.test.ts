// Stored responses behind a router: each request that refers to one goes to the engine that has it.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import OpenAI from 'openai';
import { type RunningRouter, startRouter } from '../../src/apps/router/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import { freePorts } from '../../src/io/processes/index.ts';
import { jsonHeaders, model, startFaulty } from '../support/faulty-stack.ts';
import { cut, type Data, eventsOf, responsesPath } from '../support/named-streams.ts';
import { exchangeBytes, stack } from '../support/router-stack.ts';
import { type ReceivedRequest, respond, type Script } from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';

const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });
const engine = { responsesStore: true };

interface Answered {
  readonly status: number;
  readonly engine: string | null;
  readonly body: {
    readonly id: string;
    readonly status?: string;
    readonly error: { readonly message: string; readonly code: unknown; readonly param: unknown };
  };
}

async function ask(url: string, path: string, body?: object, method?: string): Promise<Answered> {
  const response = await fetch(`${url}${path}`, {
    method: method ?? (body ? 'POST' : 'GET'),
    headers: jsonHeaders,
    ...(body && { body: JSON.stringify({ model, max_output_tokens: 4, ...body }) }),
  });
  const text = await response.text();
  const { status, headers } = response;
  return { status, engine: headers.get('x-spillway-engine'), body: JSON.parse(text || '{}') };
}

const create = (router: { url: string }, body: object) => ask(router.url, '/v1/responses', body);

for (const policy of [
  'roundrobin',
  'leastloaded',
  'session',
  'prefixaware',
  'predictive',
  'kvaware',
] as const) {
  test(`a conversation stays with the engine that has it: ${policy}`, async (t) => {
    const { router } = await startFaulty(t, [{}, {}, {}], {
      engine,
      router: { policy, sessionKey: 'user' },
    });
    for (let i = 0; i < 4; i++) {
      const first = await create(router, { input: `hello ${i}` });
      let last = first;
      for (let turn = 0; turn < 3; turn++) {
        const next = await create(router, {
          ...{ input: 'more', previous_response_id: last.body.id, user: `u${turn}` },
        });
        assert.equal(next.status, 200, JSON.stringify(next.body));
        assert.equal(next.engine, first.engine);
        last = next;
      }
      for (const path of ['', '/input_items']) {
        const got = await ask(router.url, `/v1/responses/${first.body.id}${path}`);
        assert.equal(got.engine, first.engine);
        assert.equal(got.status, path === '' ? 200 : 404, 'vLLM has no such route');
      }
    }
  });
}

test('a background response is fetched, streamed from any event, cancelled and deleted at its engine', async (t) => {
  const { router } = await startFaulty(t, [{}, {}], { engine });
  const { body, engine: at } = await create(router, {
    ...{ input: 'x', background: true, stream: false, max_output_tokens: 2000, ignore_eos: true },
  });
  assert.equal(body.status, 'queued');
  const path = `/v1/responses/${body.id}`;
  for (let i = 0; i < 3; i++) assert.equal((await ask(router.url, path)).engine, at);
  const cancelled = await ask(router.url, `${path}/cancel`, {});
  assert.deepEqual([cancelled.status, cancelled.body.status], [200, 'cancelled']);
  const deleted = await ask(router.url, path, undefined, 'DELETE');
  assert.deepEqual([deleted.status, deleted.engine], [405, at], 'vLLM has no DELETE');
  const stream = await fetch(`${router.url}/v1/responses`, {
    method: 'POST',
    headers: jsonHeaders,
    body: JSON.stringify({
      model,
      input: 'y',
      background: true,
      stream: true,
      max_output_tokens: 4,
    }),
  });
  const text = await stream.text();
  const id = /"id":"(resp_[^"]+)"/.exec(text)?.[1];
  const again = await fetch(`${router.url}/v1/responses/${id}?stream=true&starting_after=3`);
  const rest = await again.text();
  assert.equal(again.headers.get('x-spillway-engine'), stream.headers.get('x-spillway-engine'));
  assert.ok(rest !== '' && text.endsWith(rest) && rest.length < text.length);
});

test('the openai client chains, retrieves and cancels through two engines, streamed and whole', async (t) => {
  const { router } = await startFaulty(t, [{}, {}], { engine });
  const client = new OpenAI({ baseURL: `${router.url}/v1`, apiKey: 'any', maxRetries: 0 });
  let previous: string | undefined;
  for (let turn = 0; turn < 6; turn++) {
    const asked = {
      ...{ model, input: `turn ${turn}`, max_output_tokens: 4 },
      ...(previous && { previous_response_id: previous }),
    };
    const final =
      turn % 2 === 0
        ? await client.responses.stream(asked).finalResponse()
        : await client.responses.create(asked);
    const got = await client.responses.retrieve(final.id);
    assert.deepEqual([got.id, got.previous_response_id ?? undefined], [final.id, previous]);
    previous = final.id;
  }
  const queued = await client.responses.create({
    ...{ model, input: 'long', background: true, max_output_tokens: 3000 },
  });
  const cancelled = await client.responses.cancel(queued.id);
  assert.ok(['cancelled', 'incomplete', 'completed'].includes(String(cancelled.status)));
  await assert.rejects(
    client.responses.create({ model, input: 'x', previous_response_id: 'resp_none' }),
    (error) => error instanceof OpenAI.APIError && error.code === 'previous_response_not_found',
  );
});

test('an unknown id is asked of the only engine of its model, and of all engines if there are more', async (t) => {
  const one = await startFaulty(t, [{}], { engine });
  const alone = await create(one.router, { input: 'x', previous_response_id: 'resp_none' });
  assert.equal(alone.status, 404);
  assert.equal(alone.engine, one.engines[0]?.url);
  const { router, engines } = await startFaulty(t, [{}, {}, {}], { engine });
  for (const [path, body, code, param] of [
    [
      '',
      { previous_response_id: 'resp_none' },
      'previous_response_not_found',
      'previous_response_id',
    ],
    ['/resp_none', undefined, 'response_not_found', 'response_id'],
    ['/resp_none/cancel', {}, 'response_not_found', 'response_id'],
  ] as const) {
    const { status, body: answer } = await ask(router.url, `/v1/responses${path}`, body);
    assert.deepEqual([status, answer.error.code, answer.error.param], [404, code, param]);
    assert.match(answer.error.message, /'resp_none' not found\. None of the 3 engines has it\./);
  }
  // Made before this router knew of it.
  const own = await ask(engines[2]?.url ?? '', '/v1/responses', { input: 'x' });
  const next = await create(router, { input: 'y', previous_response_id: own.body.id });
  assert.deepEqual([next.status, next.engine], [200, engines[2]?.url]);
  const got = await ask(router.url, `/v1/responses/${own.body.id}`);
  assert.deepEqual([got.status, got.engine], [200, engines[2]?.url]);
});

test('an id that no engine can have is not found, and the router goes on', async (t) => {
  const { router } = await startFaulty(t, [{}, {}], { engine });
  for (const id of ['\\ud800', 'x'.repeat(300)]) {
    const response = await fetch(`${router.url}/v1/responses`, {
      method: 'POST',
      headers: jsonHeaders,
      body: `{"model":"${model}","input":"x","previous_response_id":"${id}"}`,
    });
    const { error } = (await response.json()) as Answered['body'];
    assert.deepEqual([response.status, error.code], [404, 'previous_response_not_found']);
    assert.match(error.message, /not found\. No engine gives such an id\.$/);
  }
  for (const id of [
    '%2e%2e%2f%2e%2e%2fsleep',
    '..',
    '%2E',
    'a%20b',
    'a%0d%0ab',
    '%E0%A4%A',
    'a%00',
  ]) {
    const path = `/v1/responses/${id}/cancel`;
    const answer = await exchangeBytes(
      router,
      `POST ${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 40[04] /, id);
  }
  assert.equal((await create(router, { input: 'x' })).status, 200);
});

test('a request about a response whose engine has failed gets 503 with a code, and no other engine gets it', async (t) => {
  const { router, engines } = await startFaulty(t, [{}, {}], {
    engine,
    router: { deadlines: { engineWaitSeconds: 0 } },
  });
  const first = await create(router, { input: 'x' });
  await engines.find(({ url }) => url === first.engine)?.close();
  for (let i = 0; i < 3; i++) {
    const next = await create(router, { input: 'y', previous_response_id: first.body.id });
    assert.equal(next.status >= 502 && next.status <= 503, true, `${next.status}`);
    assert.equal(next.body.error.code, 'response_engine_unavailable');
    assert.ok(next.body.error.message.includes(String(first.engine)), next.body.error.message);
  }
  const got = await ask(router.url, `/v1/responses/${first.body.id}`);
  assert.deepEqual([got.status, got.body.error.code], [503, 'response_engine_unavailable']);
});

test('a request whose engine hangs up is not sent to another one', async (t) => {
  const keeping: Script = {
    onRequest: ({ socket, body }) => {
      if (body.includes('previous')) socket.destroy();
      else respond(socket, 200, `{"object":"response","id":"r-${socket.localPort}"}`);
    },
  };
  const { router, engines } = await stack(t, [keeping, keeping], {
    deadlines: { engineWaitSeconds: 0 },
  });
  const first = await ask(router.url, '/v1/responses', { model: 'm', input: 'x' });
  const next = await ask(router.url, '/v1/responses', {
    ...{ model: 'm', input: 'x', previous_response_id: first.body.id },
  });
  assert.deepEqual([next.status, next.body.error.code], [502, 'response_engine_unavailable']);
  const asked = engines.map(({ received }) => received.length > 0);
  assert.deepEqual(asked.toSorted(), [false, true]);
});

/** The id that all events of a response have. */
function idIn(events: readonly Data[]): string {
  const ids = events.flatMap(({ response }) => (response ? [(response as Data)['id']] : []));
  assert.equal(new Set(ids).size, 1);
  return String(ids[0]);
}

/** Waits until the router holds one of its engines for dead. */
async function heldForDead(router: RunningRouter): Promise<void> {
  await until(async () => {
    const page = await (await fetch(`${router.url}/engines`)).text();
    return page.includes('"state":"dead"');
  });
}

for (const policy of ['predictive', 'session', 'roundrobin'] as const) {
  test(`an engine that is held for dead is tried if only it has the response: ${policy}`, async (t) => {
    let isBusy = false;
    const slow: Script = {
      health: () => (isBusy ? 500 : 200),
      onRequest: ({ socket }) => respond(socket, 200, '{"object":"response","id":"r1"}'),
    };
    const { router, engines } = await stack(t, [slow, {}, {}], {
      ...{ policy, sessionKey: 'user', healthIntervalMs: 200 },
    });
    const at = engines[0]?.url;
    const made = await ask(router.url, `/v1/responses?id=${at}`, { model: 'm', input: 'x' });
    assert.equal(made.status, 200);
    isBusy = true;
    await heldForDead(router);
    const more = { model: 'm', input: 'y', user: 'u', previous_response_id: 'r1' };
    const requests = [
      ['/v1/responses', more, 'POST'],
      ['/v1/responses', { ...more, background: true }, 'POST'],
      ['/v1/responses/r1', undefined, 'GET'],
      ['/v1/responses/r1/cancel', {}, 'POST'],
      ['/v1/responses/r1', undefined, 'DELETE'],
    ] as const;
    for (const [path, body, method] of requests) {
      const { status, engine: by } = await ask(router.url, path, body, method);
      assert.deepEqual([status, by], [200, at], `${method} ${path}`);
    }
    assert.equal(engines[0]?.received.length, 1 + requests.length, 'each is sent once');
    const other = await ask(router.url, '/v1/responses', { model: 'm', input: 'x' });
    assert.notEqual(other.engine, at, 'others go elsewhere');
  });
}

test('an engine that is held for dead and does not answer is waited for as any other, then it is 504', async (t) => {
  let isHanging = false;
  const hanging: Script = {
    health: () => (isHanging ? 500 : 200),
    onRequest: ({ socket }) => {
      if (!isHanging) respond(socket, 200, '{"object":"response","id":"r1"}');
    },
  };
  const { router, engines } = await stack(t, [hanging, {}], {
    ...{ deadlines: { firstByteSeconds: 0.3, engineWaitSeconds: 0 }, healthIntervalMs: 200 },
  });
  const at = engines[0]?.url;
  await ask(router.url, `/v1/responses?id=${at}`, { model: 'm', input: 'x' });
  isHanging = true;
  await heldForDead(router);
  const { status, body } = await ask(router.url, '/v1/responses', {
    ...{ model: 'm', input: 'y', previous_response_id: 'r1' },
  });
  assert.deepEqual([status, body.error.code], [504, 'response_engine_unavailable']);
  assert.equal(engines[0]?.received.length, 2, 'tried once');
  assert.equal(engines[1]?.received.length, 0);
});

test('an engine that is held for dead is asked for an id that the router does not know', async (t) => {
  let isBusy = false;
  const answering =
    (status: number) =>
    ({ socket }: ReceivedRequest) =>
      respond(socket, status, '{"object":"response","id":"r1"}');
  const scripts = [
    { health: () => (isBusy ? 500 : 200), onRequest: answering(200) },
    { onRequest: answering(404) },
  ];
  const { router, engines } = await stack(t, scripts, { healthIntervalMs: 200 });
  isBusy = true;
  await heldForDead(router);
  const { status, engine: by } = await ask(router.url, '/v1/responses', {
    ...{ model: 'm', input: 'y', previous_response_id: 'r1' },
  });
  assert.deepEqual([status, by], [200, engines[0]?.url]);
});

test('the id of a stream that moved belongs to the engine that finished it', async (t) => {
  const { router, engines } = await startFaulty(t, [cut(9), cut(20), {}], { engine });
  const asked = { input: 'Tell me about the sea', max_output_tokens: 60, temperature: 0 };
  const events = await eventsOf(router.url, responsesPath, asked);
  const id = idIn(events);
  const got = await ask(router.url, `/v1/responses/${id}`);
  assert.deepEqual([got.status, got.engine], [200, engines[2]?.url]);
  const next = await create(router, { input: 'more', previous_response_id: id });
  assert.deepEqual([next.status, next.engine], [200, engines[2]?.url]);
});

test('a response that is not to be stored is not remembered', async (t) => {
  const { router } = await startFaulty(t, [{}, {}], { engine });
  const remembered = async () => {
    const page = await (await fetch(`${router.url}/metrics`)).text();
    return /^spillway_router_stored_responses (\S+)/m.exec(page)?.[1];
  };
  await create(router, { input: 'x', store: false });
  assert.equal(await remembered(), '0.0');
  await create(router, { input: 'x' });
  assert.equal(await remembered(), '1.0');
});

test('peer routers tell each other which engine has a response, also one that starts later', async (t) => {
  const { engines } = await startFaulty(t, [{}, {}, {}], { engine });
  const ports = await freePorts(2);
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const [first, second] = [await startPeer(t, 0), await startPeer(t, 1)];
  await until(async () => (await peersOf(first)) === 1 && (await peersOf(second)) === 1);
  const made = await create(first, { input: 'x' });
  await until(async () => (await storedBy(second)) === '1.0');
  const next = await create(second, { input: 'y', previous_response_id: made.body.id });
  assert.deepEqual([next.status, next.engine], [200, made.engine]);
  await second.close(0);
  const late = await startPeer(t, 1);
  await until(async () => (await storedBy(late)) === '2.0');

  async function startPeer(context: TestContext, index: number): Promise<RunningRouter> {
    const router = await startRouter({
      ...{ port: ports[index] as number, engines: engines.map(({ url }) => ({ url, models: [] })) },
      ...{ policy: 'roundrobin', log, tickMs: 20, peers: { urls, lookupMs: 50 } },
    });
    context.after(() => router.close(0));
    await router.probed;
    return router;
  }
});

const pageOf = async ({ url }: RunningRouter) => (await fetch(`${url}/metrics`)).text();
const storedBy = async (router: RunningRouter) =>
  /^spillway_router_stored_responses (\S+)/m.exec(await pageOf(router))?.[1];
const peersOf = async (router: RunningRouter) =>
  Number(/^spillway_router_peers\{state="connected"\} (\S+)/m.exec(await pageOf(router))?.[1]);
