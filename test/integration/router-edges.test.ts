// What few clients do and some engines suffer: keys, forms, old HTTP, limits, watchers, the log.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { RouterOptions } from '../../src/apps/router/index.ts';
import { fetchBytes, Ticker, UpstreamPool } from '../../src/io/http/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import { eventually } from '../support/fleet.ts';
import { exchangeBytes, post, stack } from '../support/router-stack.ts';
import { chunk, eventStreamHead } from '../support/scripted-engine.ts';

const hello = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] };

test('a client’s Authorization goes on unless the router or the engine has a key of its own', async (t) => {
  const cases: readonly (readonly [Partial<RouterOptions>, string | undefined])[] = [
    [{}, 'Bearer client'],
    [{ engineApiKey: 'engine' }, 'Bearer engine'],
    [{ apiKey: 'client' }, undefined],
    [{ apiKey: 'client', engineApiKey: 'engine' }, 'Bearer engine'],
    [{ apiKey: 'client', forwardAuthorization: true }, 'Bearer client'],
    [{ engineApiKey: 'engine', forwardAuthorization: true }, 'Bearer client'],
    [{ forwardAuthorization: false }, undefined],
    [{ engineApiKey: 'engine', forwardAuthorization: false }, 'Bearer engine'],
  ];
  for (const [options, expected] of cases) {
    const { router, engines } = await stack(t, [{}], options);
    const headers = { authorization: 'Bearer client' };
    assert.equal((await post(router, hello, { headers })).status, 200);
    const received = engines[0]?.received[0]?.headers.get('authorization');
    assert.equal(received, expected, JSON.stringify(options));
  }
});

test('a model of engines that do not tell the router theirs is unknown, and the error says why', async (t) => {
  const keyed = await stack(t, [{ apiKey: 'secret' }, { apiKey: 'secret' }]);
  const answer = await post(keyed.router, hello);
  assert.equal(answer.status, 404);
  const url = keyed.engines[0]?.url;
  const { error } = (await answer.json()) as { error: object };
  assert.deepEqual(error, {
    message:
      `The model "m" does not exist here; known: none, and no list from ${url} and 1 more ` +
      '(it answers 401 to /v1/models: give the router the key of the engines in VLLM_API_KEY).',
    ...{ type: 'NotFoundError', param: 'model', code: 404 },
  });
  const told = await stack(t, [{ apiKey: 'secret' }], { engineApiKey: 'secret' });
  assert.equal((await post(told.router, hello)).status, 200);
});

test('a form with a recording reaches the engine byte for byte', async (t) => {
  const { router, engines } = await stack(t, [{}]);
  const form = new FormData();
  form.append('model', 'm');
  form.append('file', new Blob(['RIFF\r\n--x\r\n\0ABC']), 'speech.wav');
  form.append('language', 'en');
  const request = new Request(`${router.url}/v1/audio/transcriptions`, {
    method: 'POST',
    body: form,
  });
  const sent = await request.clone().text();
  assert.equal((await fetch(request)).status, 200);
  const [received] = engines[0]?.received ?? [];
  assert.equal(received?.body, sent);
  assert.equal(received.headers.get('content-type'), request.headers.get('content-type'));
});

test('a client of HTTP/1.0 gets a chunked answer without the chunks, up to the close', async (t) => {
  const { router } = await stack(t, [
    {
      onRequest: ({ socket }) => {
        socket.write(`${eventStreamHead}${chunk('data: 1\n\n')}`);
        setImmediate(() => socket.write(chunk('data: [DONE]\n\n') + chunk('')));
      },
    },
  ]);
  const body = JSON.stringify({ ...hello, stream: true });
  const answer = await exchangeBytes(
    router,
    `POST /v1/chat/completions HTTP/1.0\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const [head = '', text] = answer.split('\r\n\r\n');
  assert.equal(text, 'data: 1\n\ndata: [DONE]\n\n');
  assert.doesNotMatch(head, /transfer-encoding/i);
});

test('bodies that together are more than the router may hold are 503, and room comes back', async (t) => {
  const { router } = await stack(t, [{}], { server: { bufferedRequestBytesMax: 5_000 } });
  const body = JSON.stringify({ ...hello, padding: 'x'.repeat(4_000) });
  const request = `POST /v1/chat/completions HTTP/1.1\r\nHost: r\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`;
  // The first lacks its last byte, so it is held for as long as the test likes.
  const held = connect(router.port, '127.0.0.1').resume();
  held.write(request + body.slice(0, -1));
  let refused = '';
  await eventually(async () => {
    refused = await exchangeBytes(router, request + body);
    return refused.startsWith('HTTP/1.1 503');
  }, 'the second body is refused');
  assert.match(refused, /retry-after: 1\r\n/i);
  assert.match(refused, /"type":"ServiceUnavailableError"/);
  held.write(body.slice(-1));
  await once(held, 'close');
  assert.match(await exchangeBytes(router, request + body), /^HTTP\/1\.1 200/);
});

test('a connection that is neither taken nor refused costs the connect deadline, not more', async (t) => {
  // A listener that never accepts: once its backlog is full, the kernel drops what comes.
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
    const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      parentPort.postMessage(server.address().port);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`,
    { eval: true },
  );
  const [port] = await once(worker, 'message');
  const fillers = Array.from({ length: 4 }, () => connect(port, '127.0.0.1').on('error', () => {}));
  const ticker = new Ticker({ tickMs: 10 });
  const url = `http://127.0.0.1:${port}`;
  const pool = new UpstreamPool({ url, ticker, limits: { connectTimeoutMs: 100 } });
  t.after(async () => {
    pool.close();
    ticker.stop();
    for (const filler of fillers) filler.destroy();
    await worker.terminate();
  });
  await once(fillers[0] as Socket, 'connect');
  const asked = fetchBytes(pool, { target: '/', timeoutMs: 20_000, bytesMax: 1 });
  await assert.rejects(asked, /no connection within 0.1 s/);
});

test('the dashboard’s events show the router, end with their viewer, and have a bound', async (t) => {
  const { router } = await stack(t, [{}]);
  const stops: AbortController[] = [];
  const watch = async () => {
    const stop = new AbortController();
    const response = await fetch(`${router.url}/dashboard/events`, { signal: stop.signal });
    if (response.status === 200) stops.push(stop);
    return response;
  };
  const first = await watch();
  assert.match(first.headers.get('content-type') ?? '', /^text\/event-stream/);
  const { value } = (await first.body?.getReader().read()) ?? {};
  const text = Buffer.from(value ?? []).toString();
  assert.match(text, /^data: .*\n\n$/);
  const view = JSON.parse(text.slice('data: '.length));
  assert.deepEqual([view.policy, view.engines[0].state], ['roundrobin', 'live']);
  const head = await fetch(`${router.url}/dashboard/events`, { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
  while (stops.length < 64) assert.equal((await watch()).status, 200);
  assert.equal((await watch()).status, 503);
  for (const stop of stops) stop.abort();
  await eventually(async () => (await watch()).status === 200, 'a place is free again');
  for (const stop of stops) stop.abort();
});

test('each pick is logged in the words that upstream’s end-to-end tests look for', async (t) => {
  const stream = new PassThrough().setEncoding('utf8');
  let lines = '';
  stream.on('data', (text) => {
    lines += text;
  });
  const log = createLogger({ stream, level: 'info', format: 'text' });
  const { router, engines } = await stack(t, [{}], { log, sessionKey: 'x-user-id' });
  await post(router, hello, { headers: { 'x-request-id': 'id-1' } });
  await post(router, hello, { headers: { 'x-request-id': 'id-2', 'x-user-id': 'ann' } });
  await eventually(() => lines.includes('id-2'), 'the second pick is in the log');
  const picks = [
    ...lines.matchAll(
      /Routing request ([^ ]*) with session id ([^ ]*) to ([^ ]*) at ([\d.]+), process time = [\d.]+\n/g,
    ),
  ].map(([, id, session, url]) => [id, session, url]);
  const url = engines[0]?.url;
  assert.deepEqual(picks, [
    ['id-1', 'None', url],
    ['id-2', 'ann', url],
  ]);
});
