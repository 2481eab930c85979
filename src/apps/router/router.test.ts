// One router as a whole, at scripted engines on real sockets: how its parts start, change settings and stop together.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { post, stack } from '../../../test/support/router-stack.ts';
import { chunk, eventStreamHead, respond } from '../../../test/support/scripted-engine.ts';
import { until } from '../../../test/support/until.ts';
import { parseEngineViews, parseRouterView } from '../../core/views/index.ts';
import type { EndpointSource } from '../../io/endpoints/index.ts';
import { createLogger } from '../../io/log/index.ts';
import type { RouterOptions } from './options.ts';
import { startRouter } from './router.ts';
import type { RunningRouter } from './running-router.ts';

const hello = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] };
const textAt = async (url: string | undefined, path: string) =>
  (await fetch(`${url}${path}`)).text();
const viewOf = async ({ url }: RunningRouter) =>
  parseRouterView(await textAt(url, '/debug/router'));
const enginesOf = async ({ url }: RunningRouter) => parseEngineViews(await textAt(url, '/engines'));

/** A log in memory. */
function memoryLog() {
  const stream = new PassThrough();
  let text = '';
  stream.setEncoding('utf8').on('data', (more) => {
    text += more;
  });
  const log = createLogger({ stream, level: 'info', format: 'text' });
  const flushed = () => {
    log.flush();
    return text;
  };
  return { log, flushed };
}

async function started(context: TestContext, options: Partial<RouterOptions>) {
  const router = await startRouter({
    ...{ port: 0, engines: [], policy: 'roundrobin', log: memoryLog().log, tickMs: 20 },
    ...options,
  });
  context.after(() => router.close(0));
  return router;
}

/** A port that is in use. */
async function takenPort(context: TestContext): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  context.after(() => server.close());
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

test('a router has the default settings: the predictive policy, which follows KV events, and a minute of rates', async (t) => {
  const state = { nowMs: 7_000_500 };
  t.mock.method(performance, 'now', () => state.nowMs);
  const { router } = await stack(t, [{}], { policy: undefined as never });
  for (let i = 0; i < 6; i++) assert.equal((await post(router, hello)).status, 200);
  state.nowMs += 1_000;
  const page = await textAt(router.url, '/metrics');
  assert.match(page, /^vllm:current_qps\{server="[^"]*"\} 0\.1$/m);
  assert.match(page, /^process_start_time_seconds /m);
  const view = await viewOf(router);
  assert.deepEqual([view.policy, view.uptimeSeconds, view.requests], ['predictive', 1, 6]);
  assert.deepEqual([view.queue, view.routers], [null, null]);
  const [engine] = await enginesOf(router);
  assert.notEqual(engine?.kvEvents, null);
  const [pick] = JSON.parse(await textAt(router.url, '/debug/picks')) as { atSeconds: number }[];
  assert.equal(pick?.atSeconds, 7_000.5);
});

test('a policy that does not read KV events follows none', async (t) => {
  const { router } = await stack(t, [{}]);
  const [engine] = await enginesOf(router);
  assert.deepEqual([engine?.kvEvents, engine?.state], [null, 'live']);
  assert.equal((await fetch(`${router.url}/health`)).status, 200);
});

test('engines get the router’s key, with its own requests and those of clients', async (t) => {
  const { router, engines } = await stack(t, [{ apiKey: 'secret' }], { engineApiKey: 'secret' });
  const [engine] = await enginesOf(router);
  assert.deepEqual(engine?.serving_models, ['m']);
  assert.equal((await post(router, hello)).status, 200);
  assert.equal(engines[0]?.received[0]?.headers.get('authorization'), 'Bearer secret');
});

test('an engine that dies while the router runs is noticed', async (t) => {
  let status = 200;
  const { router } = await stack(t, [{ health: () => status }], { healthIntervalMs: 20 });
  status = 500;
  await until(async () => (await enginesOf(router))[0]?.state === 'dead');
  status = 200;
  await until(async () => (await enginesOf(router))[0]?.state === 'live');
});

test('what engines report is read in its interval', async (t) => {
  let running = 1;
  const { router } = await stack(t, [{ metrics: () => `vllm:num_requests_running ${running}\n` }], {
    statsIntervalMs: 20,
  });
  running = 7;
  await until(async () => (await enginesOf(router))[0]?.reported?.running === 7);
});

test('a response may take as long as its deadline allows', async (t) => {
  const { router } = await stack(t, [
    {
      onRequest: ({ socket }) => {
        socket.write(eventStreamHead);
        // Several ticks before the first byte, and before the second.
        setTimeout(() => socket.write(chunk('data: {"a":1}\n\n')), 150);
        setTimeout(() => socket.write(chunk('data: [DONE]\n\n') + chunk('')), 300);
      },
    },
  ]);
  const text = await (await post(router, { ...hello, stream: true })).text();
  assert.equal(text, 'data: {"a":1}\n\ndata: [DONE]\n\n');
});

test('an engine whose streams stand still is ejected, with the whole seconds in the log', async (t) => {
  const { log, flushed } = memoryLog();
  const { router } = await stack(
    t,
    [{ onRequest: ({ socket }) => socket.write(eventStreamHead + chunk('data: {"a":1}\n\n')) }],
    { deadlines: { engineStallSeconds: 0.1 }, log, migration: false },
  );
  const streams = await Promise.all([1, 2].map(() => post(router, { ...hello, stream: true })));
  const texts = await Promise.allSettled(streams.map((stream) => stream.text()));
  assert.equal(texts.length, 2);
  assert.match(flushed(), /is wedged: no data on any stream for 0 s\n/);
  const page = await textAt(router.url, '/metrics');
  assert.match(page, /^spillway_router_engine_stalls_total\{.*\} 1(\.0)?$/m);
});

test('a viewer gets the state of the router, and a router that stops ends the feed', async (t) => {
  const { router } = await stack(t, [{}]);
  const response = await fetch(`${router.url}/dashboard/events`);
  const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  const text = new TextDecoder().decode((await reader.read()).value);
  const [, data = ''] = /^data: (.*)$/m.exec(text) ?? [];
  assert.equal(parseRouterView(data).policy, 'roundrobin');
  // Much longer than a test may take: only the feed keeps the connection.
  const closed = router.close(3_600_000);
  while (!(await reader.read()).done);
  await closed;
});

test('the history has points at the time of the clock on the wall', async (t) => {
  const every = globalThis.setInterval;
  t.mock.method(globalThis, 'setInterval', (look: () => void, ms: number) =>
    every(look, ms === 5_000 ? 5 : ms),
  );
  const { router } = await stack(t, [{}], { healthIntervalMs: 600_000 });
  const points = async () =>
    (JSON.parse(await textAt(router.url, '/dashboard/history')) as { atSeconds: number[] })
      .atSeconds;
  await until(async () => (await points()).length > 0);
  const [at = 0] = await points();
  assert.ok(Math.abs(at - Date.now() / 1000) < 3_600, `${at}`);
});

test('a router that retires says so to load balancers, and serves on', async (t) => {
  const { router } = await stack(t, [{}]);
  const health = async () => (await fetch(`${router.url}/health`)).status;
  assert.equal(await health(), 200);
  router.retire();
  assert.equal(await health(), 503);
  const response = await post(router, hello);
  assert.deepEqual([response.status, response.headers.get('connection')], [200, 'close']);
});

test('a request in flight when the router stops is finished; one that takes too long gets 503', async (t) => {
  const { router, engines } = await stack(t, [{ onRequest: () => {} }]);
  const [first, second] = [post(router, hello), post(router, hello)];
  await until(() => engines[0]?.received.length === 2);
  const closed = router.close(300);
  const [request] = engines[0]?.received ?? [];
  if (request !== undefined) respond(request.socket, 200, '{"whole":true}');
  const statuses = [(await first).status, (await second).status].sort();
  assert.deepEqual(statuses, [200, 503]);
  await closed;
  await assert.rejects(post(router, hello), /fetch failed/);
  await until(() => engines[0]?.sockets.size === 0);
});

test('a router that cannot listen leaves nothing behind', async (t) => {
  const signals: AbortSignal[] = [];
  const source: EndpointSource = {
    name: 'test',
    async *changes(signal) {
      signals.push(signal);
      yield [{ kind: 'added', endpoint: { url: 'http://127.0.0.1:1', models: [] } }] as never;
      await once(signal, 'abort');
    },
  };
  let flushes = 0;
  const { log } = memoryLog();
  const counting = { ...log, flush: () => flushes++ } as typeof log;
  const admin = { port: await takenPort(t) };
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as { port: number };
  free.close();
  await assert.rejects(
    startRouter({ port, engines: source, policy: 'roundrobin', log: counting, admin }),
    /--admin-port/,
  );
  assert.deepEqual([signals.length, signals[0]?.aborted], [1, true]);
  assert.equal(flushes, 1);
  // The port of clients, on which it had listened already, is free.
  const again = createServer().listen(port, '127.0.0.1');
  await once(again, 'listening');
  again.close();
});

test('a router that stops follows no engines any more, and its log is written', async () => {
  let signal: AbortSignal | undefined;
  const source: EndpointSource = {
    name: 'test',
    async *changes(given) {
      signal = given;
      yield [] as never;
      await once(given, 'abort');
    },
  };
  let flushes = 0;
  const { log } = memoryLog();
  const router = await startRouter({
    ...{ port: 0, engines: source, policy: 'roundrobin' },
    log: { ...log, flush: () => flushes++ } as typeof log,
  });
  assert.deepEqual([signal?.aborted, flushes], [false, 1]);
  await router.close(0);
  assert.deepEqual([signal?.aborted, flushes], [true, 2]);
});

test('routers with an API key need one for each other', async (t) => {
  const peers = { urls: ['http://127.0.0.1:1'] };
  const key = /SPILLWAY_ROUTER_PEERS_KEY/;
  await assert.rejects(started(t, { peers, apiKey: 'secret' }), key);
  const router = await started(t, { apiKey: 'secret' });
  assert.equal((await fetch(`${router.url}/v1/models`)).status, 401);
});

test('health and metrics can have a port of their own, which clients do not use', async (t) => {
  const { router, engines } = await stack(t, [{}], { admin: { port: 0 } });
  const status = async (url: string | undefined, path: string) =>
    (await fetch(`${url}${path}`)).status;
  const { adminUrl } = router;
  assert.match(adminUrl ?? '', /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.deepEqual(
    [await status(router.url, '/health'), await status(adminUrl, '/health')],
    [200, 200],
  );
  assert.deepEqual(
    [await status(router.url, '/metrics'), await status(adminUrl, '/metrics')],
    [404, 200],
  );
  assert.deepEqual(
    [await status(router.url, '/v1/models'), await status(adminUrl, '/v1/models')],
    [200, 404],
  );
  assert.equal((await post(router, hello)).status, 200);
  assert.equal(engines[0]?.received.length, 1);
  const plain = await stack(t, [{}]);
  assert.equal(plain.router.adminUrl, undefined);
  assert.equal(await status(plain.router.url, '/metrics'), 200);
  const { url, port } = plain.router;
  assert.equal(url, `http://127.0.0.1:${port}`);
});

test('an address of IPv6 is in brackets', async (t) => {
  const router = await started(t, { host: '::1', admin: { port: 0 } });
  assert.equal(router.url, `http://[::1]:${router.port}`);
  assert.match(router.adminUrl ?? '', /^http:\/\/\[::1\]:\d+$/);
  assert.equal((await fetch(`${router.adminUrl}/version`)).status, 200);
});

test('silent streams get comments if that is asked for, and only then', async (t) => {
  const script = {
    onRequest: ({ socket }: { socket: { write(text: string): void } }) =>
      socket.write(eventStreamHead),
  };
  const { router } = await stack(t, [script], { sseKeepAliveSeconds: 0.05 });
  const abort = new AbortController();
  const response = await post(router, { ...hello, stream: true }, { signal: abort.signal });
  const first = await response.body?.getReader().read();
  assert.equal(new TextDecoder().decode(first?.value), ': keep-alive\n\n');
  abort.abort();
});

test('a queue, hedges and peer routers are there if they are asked for', async (t) => {
  const { router } = await stack(t, [{}], {
    admission: { queueTimeout: 10, maxQueuedRequests: 5, saturationWait: 1, holdTimeout: 0 },
    hedging: { budget: 5 },
    peers: { urls: ['http://127.0.0.1:1'] },
  });
  const view = await viewOf(router);
  assert.equal(view.queue?.waiting, 0);
  assert.equal(view.routers?.peers.length, 1);
  assert.equal((await post(router, hello)).status, 200);
  const off = await stack(t, [{}], {
    admission: { queueTimeout: 0, maxQueuedRequests: 5, saturationWait: 1, holdTimeout: 0 },
    hedging: { budget: 0 },
  });
  assert.equal((await viewOf(off.router)).queue, null);
});

// A dynamic configuration file.

async function configured(
  context: TestContext,
  text: string,
  options: Partial<RouterOptions> = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-test-'));
  context.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'config.yaml');
  await writeFile(path, text);
  const { log, flushed } = memoryLog();
  const router = await started(context, { log, dynamicConfig: { path, pollMs: 5 }, ...options });
  const write = async (next: string) => {
    await writeFile(`${path}.next`, next);
    await rename(`${path}.next`, path);
  };
  return { router, write, logged: flushed };
}

test('a file changes engines, policy, aliases and session key of a router that runs', async (t) => {
  const { engines } = await stack(t, [{}, {}]);
  const [a = '', b = ''] = engines.map(({ url }) => url);
  const { router, write } = await configured(
    t,
    `service_discovery: static\nrouting_logic: roundrobin\nstatic_backends: ${a}\n`,
  );
  await router.probed;
  assert.equal((await viewOf(router)).policy, 'roundrobin');
  assert.match(await textAt(router.url, '/health'), /"routing_logic":"roundrobin"/);
  await write(
    `service_discovery: static\nrouting_logic: session\nsession_key: x-user\nstatic_backends: ${b}\n` +
      `static_models: m\nstatic_aliases: 'chat:m'\n`,
  );
  await until(async () => (await viewOf(router)).policy === 'session');
  await until(async () => (await enginesOf(router)).every(({ url }) => url === b));
  await until(async () => (await post(router, { ...hello, model: 'chat' })).status === 200);
  const asked = await post(router, hello, { headers: { 'x-user': 'ann' } });
  assert.match(asked.headers.get('x-spillway-pick') ?? '', /session/);
  assert.match(await textAt(router.url, '/health'), /"routing_logic":"session"/);
});

test('a policy that a file changes follows KV events or does not', async (t) => {
  const { engines } = await stack(t, [{}]);
  const text = (policy: string) =>
    `service_discovery: static\nrouting_logic: ${policy}\nstatic_backends: ${engines[0]?.url}\n`;
  const { router, write } = await configured(t, text('roundrobin'));
  const follows = async () => (await enginesOf(router))[0]?.kvEvents !== null;
  assert.equal(await follows(), false);
  await write(text('prefixaware'));
  await until(async () => (await viewOf(router)).policy === 'prefixaware');
  assert.equal(await follows(), false);
  await write(text('kvaware'));
  await until(follows);
  await write(text('roundrobin'));
  await until(async () => !(await follows()));
});

test('health checks follow the interval of the file', async (t) => {
  let checks = 0;
  const { engines } = await stack(t, [
    {
      health: () => {
        checks++;
        return 200;
      },
    },
  ]);
  const text = (seconds: number) =>
    'service_discovery: static\nrouting_logic: roundrobin\n' +
    `static_backends: ${engines[0]?.url}\nstatic_backend_health_check_interval: ${seconds}\n`;
  const { router, write } = await configured(t, text(600));
  await router.probed;
  checks = 0;
  await write(text(1));
  await until(() => checks >= 2);
});

test('after the router has stopped, its file is not followed', async (t) => {
  const text = (url: string) => `service_discovery: static\nstatic_backends: ${url}\n`;
  const { router, write, logged } = await configured(t, text('http://127.0.0.1:1'));
  const witness = await configured(t, text('http://127.0.0.1:1'));
  await router.close(0);
  for (const one of [{ write }, witness]) await one.write(text('http://127.0.0.1:2'));
  await until(() => /: applied/.test(witness.logged()));
  await write(text('http://127.0.0.1:3'));
  await witness.write(text('http://127.0.0.1:3'));
  await until(() => (witness.logged().match(/: applied/g) ?? []).length === 2);
  assert.doesNotMatch(logged(), /: applied/);
});
