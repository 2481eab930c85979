// The router's admission queue, with engines that report whether they are saturated.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { AdmissionSettings } from '../../src/core/attempts/index.ts';
import { parseRouterView } from '../../src/core/views/index.ts';
import { post, stack } from '../support/router-stack.ts';
import { type ReceivedRequest, respond } from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';

const admission: AdmissionSettings = {
  queueTimeout: 600,
  maxQueuedRequests: 100,
  saturationWait: 2,
  holdTimeout: 0,
};

interface QueueView {
  readonly enabled: boolean;
  readonly queues: readonly {
    readonly model: string;
    readonly requests: number;
    readonly owners: number;
  }[];
  readonly saturatedEngines: readonly string[];
}

/** A router whose only engine reports that requests wait there for memory, until told otherwise. */
async function saturated(t: TestContext, settings: Partial<AdmissionSettings> | undefined) {
  let waiting = 20;
  const requests: ReceivedRequest[] = [];
  const { router, engines } = await stack(
    t,
    [
      {
        metrics: () =>
          `vllm:num_requests_running 5\nvllm:num_requests_waiting ${waiting}\nvllm:kv_cache_usage_perc 0.99\n`,
        onRequest: (request) => {
          requests.push(request);
          respond(request.socket, 200, '{"ok":true}');
        },
      },
    ],
    { statsIntervalMs: 25, ...(settings && { admission: { ...admission, ...settings } }) },
  );
  const read = async (path: string) => (await fetch(`${router.url}${path}`)).text();
  const view = async () => JSON.parse(await read('/debug/queue')) as QueueView;
  await until(async () => /num_requests_waiting\{[^}]*\} 20/.test(await read('/metrics')));
  return {
    router,
    engineUrl: engines[0]?.url,
    requests,
    read,
    view,
    queued: async () => (await view()).queues[0]?.requests ?? 0,
    relieve: () => {
      waiting = 0;
    },
  };
}

const body = { model: 'm', messages: [] };

async function errorOf(response: Response) {
  const { error } = (await response.json()) as {
    error: { message: string; type: string; code: string };
  };
  return { status: response.status, retryAfter: response.headers.get('retry-after'), ...error };
}

test('by default, requests go to a saturated engine at once', async (t) => {
  const { router, requests, view } = await saturated(t, undefined);
  assert.equal((await post(router, body)).status, 200);
  assert.equal(requests.length, 1);
  assert.deepEqual(await view(), { enabled: false, queues: [], saturatedEngines: [] });
});

test('with a queue, a request waits while all engines are saturated, and then goes to one', async (t) => {
  const { router, requests, view, queued, relieve, read, engineUrl } = await saturated(t, {});
  const response = post(router, body);
  await until(async () => (await queued()) === 1);
  assert.equal(requests.length, 0);
  const { enabled, queues, saturatedEngines } = await view();
  assert.deepEqual([enabled, queues[0]?.model, saturatedEngines], [true, 'm', [engineUrl]]);
  assert.match(await read('/metrics'), /spillway_router_queued_requests\{model="m"\} 1\.0\n/);
  relieve();
  assert.equal((await response).status, 200);
  assert.equal(requests.length, 1);
  assert.match(await read('/metrics'), /spillway_router_queue_wait_seconds_count 1\.0\n/);
});

test('the views that the page and the terminal read show what waits, by priority, and what was rejected', async (t) => {
  const { router, queued, relieve, read } = await saturated(t, { maxQueuedRequests: 2 });
  const parsed = async () => parseRouterView(await read('/debug/router')).queue;
  assert.deepEqual(await parsed(), { waiting: 0, oldestSeconds: 0, rejected: 0, byPriority: [] });
  const first = post(router, { ...body, priority: 3 });
  await until(async () => (await queued()) === 1);
  const second = post(router, { ...body, priority: -2 });
  await until(async () => (await queued()) === 2);
  assert.equal((await post(router, { ...body, priority: 9 })).status, 429);
  const { oldestSeconds = -1, ...rest } = (await parsed()) ?? {};
  assert.ok(oldestSeconds >= 0);
  assert.deepEqual(rest, {
    ...{ waiting: 2, rejected: 1 },
    byPriority: [
      { priority: -2, waiting: 1 },
      { priority: 3, waiting: 1 },
    ],
  });
  relieve();
  assert.deepEqual([(await first).status, (await second).status], [200, 200]);
});

test('without a queue the views have none', async (t) => {
  const { read } = await saturated(t, undefined);
  assert.equal(parseRouterView(await read('/debug/router')).queue, null);
});

test('requests that do not generate text do not wait', async (t) => {
  const { router } = await saturated(t, {});
  const response = await fetch(`${router.url}/tokenize`, {
    method: 'POST',
    body: '{"model":"m","prompt":"Hi"}',
  });
  assert.equal(response.status, 200);
});

test('a request that has waited too long gets 429 with Retry-After and a code', async (t) => {
  const { router, requests, read } = await saturated(t, { queueTimeout: 0.2 });
  const { message, retryAfter, ...error } = await errorOf(await post(router, body));
  // Spread, so that clients do not come back all at once.
  assert.match(retryAfter ?? '', /^[12]$/);
  assert.deepEqual(error, {
    ...{ status: 429, type: 'TooManyRequestsError' },
    ...{ param: null, code: 'queue_timeout' },
  });
  assert.match(message, /has waited too long/);
  assert.equal(requests.length, 0);
  assert.match(await read('/metrics'), /rejected_requests_total\{reason="timeout"\} 1\.0\n/);
});

test('a client that says how long it waits is not kept longer', async (t) => {
  const { router, queued, requests } = await saturated(t, {});
  const headers = { 'x-stainless-timeout': '0.2' };
  assert.equal((await post(router, body, { headers })).status, 504);
  assert.equal(await queued(), 0);
  assert.equal(requests.length, 0);
});

test('a full queue rejects, unless the request is more urgent than one that waits', async (t) => {
  const { router, requests, queued, relieve } = await saturated(t, { maxQueuedRequests: 1 });
  const first = post(router, { ...body, user: 'first' });
  await until(async () => (await queued()) === 1);
  const second = await errorOf(await post(router, body));
  assert.deepEqual([second.status, second.code], [429, 'queue_full']);
  const urgent = post(router, { ...body, user: 'urgent', priority: -1 });
  const { status, code } = await errorOf(await first);
  assert.deepEqual([status, code], [429, 'queue_displaced']);
  relieve();
  assert.equal((await urgent).status, 200);
  assert.match(requests[0]?.body ?? '', /urgent/);
});

test('requests are admitted by priority, of the header or the body, and fairly among keys', async (t) => {
  const { router, requests, queued, relieve } = await saturated(t, {});
  const responses: Promise<Response>[] = [];
  const send = async (user: string, headers: Record<string, string>, fields = {}) => {
    responses.push(post(router, { ...body, user, ...fields }, { headers }));
    await until(async () => (await queued()) === responses.length);
  };
  const [ann, bob] = [{ authorization: 'Bearer ann' }, { 'x-api-key': 'bob' }];
  await send('ann1', ann);
  await send('ann2', ann);
  await send('ann3', ann);
  await send('bob1', bob);
  await send('low', bob, { priority: 7 });
  await send('raised', { ...bob, 'x-request-priority': '-2' }, { priority: 7 });
  relieve();
  await Promise.all(responses);
  const order = requests.map((request) => /"user":"(\w+)"/.exec(request.body)?.[1]);
  assert.deepEqual(order, ['raised', 'ann1', 'bob1', 'ann2', 'ann3', 'low']);
});

test('a client that leaves frees its place at once', async (t) => {
  const { router, requests, queued, relieve } = await saturated(t, {});
  const leaving = new AbortController();
  const left = post(router, body, { signal: leaving.signal }).catch(() => 'left');
  await until(async () => (await queued()) === 1);
  leaving.abort();
  assert.equal(await left, 'left');
  await until(async () => (await queued()) === 0);
  relieve();
  assert.equal((await post(router, body)).status, 200);
  assert.equal(requests.length, 1);
});

test('requests that wait when the router stops get 503', async (t) => {
  const { router, requests, queued } = await saturated(t, {});
  const waiting = post(router, body);
  await until(async () => (await queued()) === 1);
  await router.close(20);
  assert.equal((await waiting).status, 503);
  assert.equal(requests.length, 0);
});
