// The coordinator: what LMCache 0.5.6 sent to its own gets the same responses.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { ChunkDirectory, PinTable, Quotas } from '../../src/core/lmcache/index.ts';
import { QuotaSweep } from '../../src/io/lmcache-coordinator/index.ts';
import { testCache } from '../support/cache.ts';

interface Recorded {
  readonly step: string;
  readonly request: string;
  readonly body: Record<string, unknown> | null;
  readonly status: number;
  readonly response: Record<string, unknown> | null;
}

const recorded = readFileSync(join(import.meta.dirname, 'lmcache-wire/coordinator.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

async function coordinator(t: TestContext) {
  const { urls } = await testCache(t, { coordinatorPort: 0 });
  const url = urls.at(-1)?.replace('coordinator=', '') ?? '';
  return async (request: string, body?: unknown) => {
    const [method = '', path = ''] = request.split(' ');
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`${url}${path}`, { method, ...init });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  };
}

test('a server of LMCache registers, reports, beats and leaves; operators find its chunks', async (t) => {
  const send = await coordinator(t);
  let compared = 0;
  for (const { step, request, body, status, response } of recorded) {
    const isShortened = body !== null && 'token_ids_length' in body;
    const whole = isShortened
      ? { ...body, token_ids: Array.from({ length: 600 }, (_, i) => i) }
      : (body ?? undefined);
    const answer = await send(request, whole);
    assert.equal(answer.status, status, `${step}: ${request}`);
    assert.deepEqual(timeless(answer.body), timeless(response), `${step}: ${request}`);
    compared++;
  }
  assert.equal(compared, 19);
});

test('a server that is not known has to register again, and bad requests say why', async (t) => {
  const send = await coordinator(t);
  assert.equal((await send('PUT /instances/x/heartbeat')).status, 404);
  assert.equal((await send('DELETE /instances/x')).status, 404);
  assert.equal((await send('POST /instances', { ip: 1 })).status, 422);
  assert.match((await send('POST /events', { batches: [{}] })).body.detail, /instance_id/);
  assert.equal((await send('GET /nothing')).status, 404);
  assert.deepEqual((await send('GET /healthz')).body, { status: 'ok' });
  const { body } = await send('POST /directory/lookup', { token_ids: [1, 2, 3] });
  assert.deepEqual(body, { chunks: 0, results: [] });
});

/** Without the time of registration, and the figures of LMCache's blending, which has no part here. */
function timeless(body: unknown): unknown {
  return JSON.parse(
    JSON.stringify(body, (name, value) =>
      name === 'registration_time' || name === 'blend' ? undefined : value,
    ),
  );
}

const tokens = Array.from({ length: 600 }, (_, i) => i);
const prompt = { model_name: 'm', world_size: 1, token_ids: tokens };

/** A registered server that records its orders. */
async function orderedServer(t: TestContext, send: Awaited<ReturnType<typeof coordinator>>) {
  const orders: { readonly request: string; readonly body: Record<string, unknown> }[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const line = `${request.method} ${request.url}`;
      orders.push({ request: line, body: body === '' ? {} : JSON.parse(body) });
      const isGone = request.url === '/cache/prefetches/gone';
      response.writeHead(isGone ? 404 : 200, { 'content-type': 'application/json' });
      if (request.method === 'DELETE') response.end('{"deleted": 2, "skipped": 1}');
      else if (isGone) response.end('{"detail": "unknown"}');
      else response.end('{"request_id": "job-1", "chunks": 2, "status": "submitted"}');
    });
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await send('POST /instances', { instance_id: 'a', ip: '127.0.0.1', http_port: port });
  return orders;
}

test('chunks are deleted and loaded ahead on one server; what is pinned stays in the shared store', async (t) => {
  const send = await coordinator(t);
  const orders = await orderedServer(t, send);
  const { body: pinned } = await send('POST /cache/pins', {
    ...{ ...prompt, token_ids: tokens.slice(0, 256) },
  });
  assert.deepEqual(pinned, { requested: 1, affected: 1, status: 'pinned' });

  const { body: deleted } = await send('POST /cache/delete', { instance_id: 'a', ...prompt });
  const counts = { instance_id: 'a', requested: 2, affected: 2, status: 'deleted' };
  assert.deepEqual(
    deleted,
    { ...counts, skipped: 2 },
    'one that the server kept, and the pinned one',
  );
  const [order] = orders;
  assert.equal(order?.request, 'DELETE /cache/objects');
  const { keys = [], ...rest } = order?.body ?? {};
  assert.deepEqual(rest, { tier: 'all', force: false });
  assert.equal((keys as unknown[]).length, 1);

  await send('POST /cache/delete', { instance_id: 'a', ...prompt, force: true });
  assert.deepEqual(Object.keys(orders[1]?.body.keys ?? {}), ['0', '1']);
  assert.equal((await send('GET /cache/pins')).body.total, 0, 'force takes the pins away');

  const { body: submitted } = await send('POST /cache/prefetches', { instance_id: 'a', ...prompt });
  assert.deepEqual(submitted, {
    ...{ instance_id: 'a', request_id: 'job-1', chunks: 2, status: 'submitted' },
  });
  assert.deepEqual(orders[2]?.body, { ...prompt, cache_salt: '' });
  assert.equal((await send('GET /cache/prefetches/a/job-1')).status, 200);
  assert.deepEqual(await send('GET /cache/prefetches/a/gone'), {
    ...{ status: 404, body: { detail: 'unknown' } },
  });
});

test('orders to servers that are unknown or gone say so', async (t) => {
  const send = await coordinator(t);
  const order = { instance_id: 'x', ...prompt };
  assert.equal((await send('POST /cache/delete', order)).status, 404);
  assert.equal((await send('GET /cache/prefetches/x/1')).status, 404);
  await send('POST /instances', { instance_id: 'x', ip: '127.0.0.1', http_port: 1 });
  const { status, body } = await send('POST /cache/delete', order);
  assert.equal(status, 502);
  assert.match(body.detail, /the order to 'x' failed: http:\/\/127\.0\.0\.1:1\/cache\/objects/);
  assert.equal((await send('POST /cache/delete', { ...order, tier: 'l3' })).status, 422);
});

test('quotas are set, listed and removed, for the shared store only', async (t) => {
  const send = await coordinator(t);
  assert.deepEqual((await send('GET /quota/config')).body, { default_limit_gb: null });
  await send('PUT /quota/config', { default_limit_gb: 2 });
  assert.deepEqual((await send('GET /quota/config')).body, { default_limit_gb: 2 });
  await send('PUT /quota/_default', { limit_gb: 1 });
  const row = { cache_salt: '', quota_limit_gb: 1, quota_exists: true, usage_gb: 0 };
  assert.deepEqual((await send('GET /quota/_default')).body, row);
  assert.equal((await send('GET /quota/_default?tier=l1')).body.quota_exists, false);
  assert.equal((await send('PUT /quota/a', { limit_gb: 1, tier: 'l1' })).status, 400);
  assert.equal((await send('PUT /quota/a', { limit_gb: -1 })).status, 422);
  const removed = { cache_salt: '', limit_gb: 0, status: 'removed' };
  assert.deepEqual((await send('DELETE /quota/_default')).body, removed);
  assert.equal((await send('DELETE /quota/_default')).body.status, 'not_found');
});

test('a tenant above its quota loses its oldest chunks, and none that are pinned', async (t) => {
  const directory = new ChunkDirectory();
  const state = { directory, pins: new PinTable(), quotas: new Quotas() };
  const send = (request: string, body?: unknown) => {
    assert.equal(request, 'POST /instances');
    const instance = { metadata: {}, p2p_advertised_url: '', mq_port: 0, ...(body as object) };
    directory.register(instance as Parameters<typeof directory.register>[0], 0);
    return Promise.resolve({ status: 200, body: {} as Record<string, unknown> });
  };
  const orders = await orderedServer(t, send as Awaited<ReturnType<typeof coordinator>>);
  const keys = Array.from({ length: 10 }, (_, i) => ({
    ...{
      chunk_hash_hex: `0${i}`,
      model_name: 'm',
      kv_rank: 0,
      object_group_id: 0,
      cache_salt: 's',
    },
  }));
  directory.apply(
    [
      {
        ...{ instance_id: 'a', incarnation: 1, seq: 0, event_type: 'store', tier: 'l2' },
        ...{ backend: 'fs', shared: true, capacity_bytes: 0 },
        entries: keys.map((key) => ({ key, size_bytes: 100 })),
      },
    ],
    0,
  );
  const sweep = new QuotaSweep(state);
  t.after(() => sweep.close());
  await sweep.sweep();
  assert.equal(orders.length, 0, 'without a quota');
  state.quotas.set('s', 900);
  state.pins.pin([keys[0] as (typeof keys)[0]]);
  await sweep.sweep();
  assert.equal(orders[0]?.request, 'DELETE /cache/objects');
  assert.deepEqual(orders[0]?.body, { keys: keys.slice(1, 3), tier: 'l2', force: false });
});

test('a web page of another site, or a name that its owner points here, is refused', async (t) => {
  const { urls } = await testCache(t, { coordinatorPort: 0 });
  const url = urls.at(-1)?.replace('coordinator=', '') ?? '';
  const response = await fetch(`${url}/cache/pins`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain', origin: 'http://evil.example' },
    body: '{"model_name":"m","world_size":1,"token_ids":[1]}',
  });
  assert.equal(response.status, 403);
  assert.match(await response.text(), /Pages of this origin may not use the server/);
});
