// A router in front of no engine: requests wait for the first one, as after a scale to zero.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { type RunningRouter, startRouter } from '../../src/apps/router/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import { freePorts } from '../../src/io/processes/index.ts';
import { post } from '../support/router-stack.ts';
import { until } from '../support/until.ts';

/** A router whose only engine is not started. */
async function empty(t: TestContext, holdTimeout: number) {
  const [port = 0] = await freePorts(1);
  const router = await startRouter({
    ...{ port: 0, engines: [{ url: `http://127.0.0.1:${port}`, models: [] }] },
    ...{ policy: 'roundrobin', tickMs: 20, healthIntervalMs: 25 },
    log: createLogger({ stream: process.stderr, level: 'critical', format: 'text' }),
    admission: { queueTimeout: 0, maxQueuedRequests: 2, saturationWait: 2, holdTimeout },
  });
  t.after(() => router.close(0));
  await router.probed;
  return { router, startEngine: () => startEngine(t, port) };
}

/** An engine with the model `m`. @returns How it stops. */
async function startEngine(t: TestContext, port: number): Promise<() => void> {
  const answers: Readonly<Record<string, string>> = {
    '/health': '{}',
    '/metrics': 'vllm:num_requests_running 0\n',
    '/v1/models': '{"object":"list","data":[{"id":"m","object":"model"}]}',
  };
  const server = createServer((request, response) => {
    request.resume();
    response.end(answers[request.url ?? ''] ?? '{"ok":true}');
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  t.after(stop);
  return stop;
}

const body = { model: 'm', messages: [] };
const read = async (router: RunningRouter, path: string) =>
  (await fetch(`${router.url}${path}`)).text();
const held = async (router: RunningRouter) => {
  const { queues } = JSON.parse(await read(router, '/debug/queue')) as {
    readonly queues: readonly { readonly requests: number }[];
  };
  return queues[0]?.requests ?? 0;
};

test('a request that finds no engine waits for the first one, and the router stays healthy and counts it', async (t) => {
  const { router, startEngine } = await empty(t, 60);
  const response = post(router, body);
  await until(async () => (await held(router)) === 1);
  assert.equal((await fetch(`${router.url}/health`)).status, 200);
  assert.match(
    await read(router, '/metrics'),
    /^vllm:num_incoming_requests_total\{model="m"\} 1.0$/m,
    'by which an autoscaler wakes the engine',
  );
  await startEngine();
  assert.equal((await response).status, 200);
  const metrics = await read(router, '/metrics');
  assert.match(metrics, /^vllm:num_incoming_requests_total\{model="m"\} 1.0$/m, 'it arrived once');
  assert.match(metrics, /^spillway_router_queue_wait_seconds_count 1.0$/m);
});

test('a model whose last engine has gone is waited for; one that never was is refused at once', async (t) => {
  const { router, startEngine } = await empty(t, 60);
  const stop = await startEngine();
  await until(async () => (await post(router, body)).status === 200);
  stop();
  await until(async () => /"state":"dead"/.test(await read(router, '/engines')));
  const response = post(router, body);
  await until(async () => (await held(router)) === 1);
  assert.equal((await post(router, { ...body, model: 'other' })).status, 404);
  await startEngine();
  assert.equal((await response).status, 200);
});

test('a held request gets status 503 at its deadline, and the queue is bounded', async (t) => {
  const { router } = await empty(t, 0.5);
  const responses = await Promise.all([1, 2, 3].map(() => post(router, body)));
  const errors = await Promise.all(
    responses.map(async (response) => {
      const { error } = (await response.json()) as { error: { code: string } };
      return `${response.status} ${error.code}`;
    }),
  );
  assert.deepEqual(errors.sort(), [
    ...['429 queue_full', '503 queue_no_engine', '503 queue_no_engine'],
  ]);
});

test('without --hold-timeout a router without engines is not healthy, and fails requests at once', async (t) => {
  const { router } = await empty(t, 0);
  assert.equal((await fetch(`${router.url}/health`)).status, 503);
  const response = await post(router, body);
  assert.ok([404, 503].includes(response.status), String(response.status));
});
