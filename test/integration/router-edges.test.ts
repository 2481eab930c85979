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

test('a client’s Authorization is forwarded unless the router or the engines have a key', async (t) => {
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

test('a key is accepted as a bearer token in any case, or as Anthropic’s clients send it', async (t) => {
  const { router, engines } = await stack(t, [{}], { apiKey: 'client' });
  const accepted = [
    { authorization: 'Bearer client' },
    { authorization: 'bearer client' },
    { authorization: 'BEARER  client' },
    { 'x-api-key': 'client' },
  ];
  for (const headers of accepted) {
    assert.equal((await post(router, hello, { headers })).status, 200, JSON.stringify(headers));
  }
  const refused = [
    { authorization: 'Basic client' },
    { authorization: 'client' },
    { 'x-api-key': '' },
  ];
  for (const headers of refused as Record<string, string>[]) {
    assert.equal((await post(router, hello, { headers })).status, 401, JSON.stringify(headers));
  }
  const seen = engines[0]?.received.map(({ headers }) => headers.has('x-api-key'));
  assert.deepEqual(seen, [false, false, false, false]);
});

test('a request without a key is refused before its body is read', async (t) => {
  const { router } = await stack(t, [{}], { apiKey: 'client' });
  const head = 'POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 60000000\r\n\r\n';
  assert.match(await exchangeBytes(router, head), /^HTTP\/1.1 401 .*AuthenticationError/s);
});

test('engines do not see the prefix of --root-path', async (t) => {
  const { router, engines } = await stack(t, [{}], { rootPath: '/api' });
  const url = `${router.url}/api/v1/chat/completions?priority=1`;
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(hello) });
  assert.equal(response.status, 200);
  assert.equal(engines[0]?.received[0]?.target, '/v1/chat/completions?priority=1');
});

test('?id= pins a request to an engine by its id, name or URL, and is not forwarded', async (t) => {
  const { router, engines } = await stack(t, [{}, {}, {}]);
  const views = (await (await fetch(`${router.url}/engines`)).json()) as Record<string, string>[];
  const ids = [views[2]?.engine_id, views[2]?.name, engines[2]?.url].map((id) => String(id));
  for (const id of ids) {
    const url = `${router.url}/v1/chat/completions?id=${encodeURIComponent(id)}&a=b`;
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(hello) });
    assert.equal(response.status, 200, id);
  }
  assert.deepEqual(
    engines[2]?.received.map(({ target }) => target),
    ids.map(() => '/v1/chat/completions?a=b'),
  );
  const unknown = `${router.url}/v1/chat/completions?id=nobody`;
  assert.equal((await fetch(unknown, { method: 'POST', body: JSON.stringify(hello) })).status, 404);
});

test('a large body arrives unchanged except for its alias, and a large body that is not JSON is refused', async (t) => {
  const { router, engines } = await stack(t, [{}], { aliases: new Map([['short', 'm']]) });
  const prompt = 'word '.repeat(500_000);
  const answer = await post(router, {
    model: 'short',
    messages: [{ role: 'user', content: prompt }],
  });
  assert.equal(answer.status, 200);
  const received = JSON.parse(String(engines[0]?.received[0]?.body)) as { model: string };
  assert.deepEqual(received, { model: 'm', messages: [{ role: 'user', content: prompt }] });
  const broken = await post(router, `{"model":"m","prompt":"${prompt}`);
  assert.equal(broken.status, 400);
  const { error } = (await broken.json()) as { error: { message: string } };
  assert.equal(error.message, 'The body is not valid JSON: a string has no end.');
});

test('cookies are not forwarded', async (t) => {
  const { router, engines } = await stack(t, [{}]);
  await post(router, hello, { headers: { cookie: 'session=1', 'x-kept': 'yes' } });
  const headers = engines[0]?.received[0]?.headers;
  assert.deepEqual([headers?.get('cookie'), headers?.get('x-kept')], [undefined, 'yes']);
});

test('a name longer than 1 KiB is refused, and the message does not repeat it', async (t) => {
  const { router } = await stack(t, [{}], { sessionKey: 'user' });
  for (const field of ['model', 'user']) {
    const response = await post(router, { ...hello, [field]: 'x'.repeat(1025) });
    assert.equal(response.status, 400);
    const { error } = (await response.json()) as { error: { message: string } };
    assert.equal(error.message, `"${field}" is longer than 1024 bytes.`);
  }
  assert.equal((await post(router, { ...hello, user: 'x'.repeat(1024) })).status, 200);
});

test('a session id with control characters does not reach the log as it is', async (t) => {
  const output = new PassThrough();
  const written: string[] = [];
  output.on('data', (bytes) => written.push(String(bytes)));
  const loud = createLogger({ stream: output, level: 'info', format: 'text' });
  const { router } = await stack(t, [{}], { sessionKey: 'user', log: loud });
  await post(router, { ...hello, user: 'ann\u001b[2J\nforged line' });
  loud.flush();
  const line = written
    .join('')
    .split('\n')
    .find((text) => text.includes('session id'));
  assert.match(line ?? '', /session id ann\\x1b\[2J forged line to http/);
});

test('the model of engines that refuse their model list is unknown, and the error says why', async (t) => {
  const keyed = await stack(t, [{ apiKey: 'secret' }, { apiKey: 'secret' }]);
  const answer = await post(keyed.router, hello);
  assert.equal(answer.status, 404);
  const url = keyed.engines[0]?.url;
  const { error } = (await answer.json()) as { error: object };
  assert.deepEqual(error, {
    message:
      `The model "m" does not exist here; known: none, and no list from ${url} and 1 more ` +
      '(/v1/models returned 401: give the router the key of the engines in VLLM_API_KEY).',
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

test('an alias in a form becomes the name of the model; the recording stays as it is', async (t) => {
  const aliases = new Map([['whisper', 'm']]);
  const { router, engines } = await stack(t, [{}], { aliases });
  const form = new FormData();
  form.append('file', new Blob(['RIFF\r\nwhisper\r\n\0ABC']), 'whisper');
  form.append('model', 'whisper');
  const url = `${router.url}/v1/audio/transcriptions`;
  const request = new Request(url, { method: 'POST', body: form });
  const sent = await request.clone().text();
  assert.equal((await fetch(request)).status, 200);
  const [received] = engines[0]?.received ?? [];
  assert.equal(received?.body, sent.replace('\r\n\r\nwhisper\r\n--', '\r\n\r\nm\r\n--'));
});

test('the model of a form is its field, whatever the names and contents of its files are', async (t) => {
  const { router, engines } = await stack(t, [{}]);
  const send = (form: FormData) =>
    fetch(`${router.url}/v1/audio/transcriptions`, { method: 'POST', body: form });
  const form = new FormData();
  form.append('file', new Blob(['name="model"\r\n\r\nother\r\n']), 'model');
  form.append('model', 'm');
  assert.equal((await send(form)).status, 200);
  assert.equal(engines[0]?.received.length, 1);
  const nameless = new FormData();
  nameless.append('file', new Blob(['m']), 'model');
  const refused = await send(nameless);
  assert.equal(refused.status, 400);
  const { error } = (await refused.json()) as { error: { message: string; param: string } };
  assert.equal(error.param, 'model');
  assert.match(error.message, /names no model/);
});

test('an HTTP/1.0 client gets a chunked response without chunk framing, ended by the close', async (t) => {
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

test('bodies beyond the limit on all buffered bodies get 503, and the memory is released', async (t) => {
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

test('a connection that is neither accepted nor refused takes no longer than the connect timeout', async (t) => {
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

test('the dashboard’s events show the router’s view, end with their viewer, and are bounded', async (t) => {
  const { router } = await stack(t, [{}]);
  const stops: AbortController[] = [];
  // A response that is collected as garbage closes its stream, and its place would be free again.
  const open: Response[] = [];
  const watch = async () => {
    const stop = new AbortController();
    const response = await fetch(`${router.url}/dashboard/events`, { signal: stop.signal });
    if (response.status === 200) {
      stops.push(stop);
      open.push(response);
    }
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

test('each pick is logged in the format that upstream’s end-to-end tests read', async (t) => {
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

test('a body that begins with a byte order mark is read, and passed on without it', async (context) => {
  const { router, engines } = await stack(context, [{}, {}]);
  const body = '{"model":"m","messages":[]}';
  assert.equal((await post(router, `\ufeff${body}`)).status, 200);
  assert.deepEqual(
    engines.flatMap(({ received }) => received.map((request) => request.body)),
    [body],
  );
  assert.equal((await post(router, '\ufeff')).status, 400);
});

test('trailers of a client end at the router, whatever they say', async (t) => {
  const { router, engines } = await stack(t, [{}]);
  const body = JSON.stringify(hello);
  const answer = await exchangeBytes(
    router,
    `POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTrailer: Authorization\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\nAuthorization: Bearer evil\r\nX-User-Id: evil\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  assert.match(answer, /^HTTP\/1.1 200 /);
  const [request] = engines[0]?.received ?? [];
  assert.equal(request?.body, body);
  const { headers } = request ?? { headers: new Map<string, string>() };
  for (const name of ['authorization', 'x-user-id', 'trailer', 'transfer-encoding']) {
    assert.equal(headers.get(name), undefined, name);
  }
  assert.equal(headers.get('content-length'), String(body.length));
  assert.equal(engines[0]?.received.length, 1);
});

test('where an engine leads to is not where its clients can go', async (t) => {
  const response =
    'HTTP/1.1 307 Temporary Redirect\r\nLocation: http://10.0.0.7:8000/v1/x\r\nContent-Location: /v1/y\r\nContent-Length: 0\r\n\r\n';
  const { router } = await stack(t, [{ onRequest: ({ socket }) => socket.write(response) }]);
  const answer = await post(router, hello, { redirect: 'manual' });
  assert.equal(answer.status, 307);
  assert.deepEqual(
    [answer.headers.get('location'), answer.headers.get('content-location')],
    [null, null],
  );
});

test('trailers of an engine end at the router, however they arrive', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTrailer: Set-Cookie\r\n';
  const trailers = 'Set-Cookie: a=b\r\nX-Usage: {"usage":{"prompt_tokens":9}}\r\n';
  const response = `${head}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n${trailers}\r\n`;
  const start = response.indexOf('2\r\n{}');
  let cut = start;
  const { router, engines } = await stack(t, [
    {
      onRequest: ({ socket }) => {
        socket.setNoDelay(true);
        socket.write(response.slice(0, cut));
        setTimeout(() => socket.write(response.slice(cut)), 2);
      },
    },
  ]);
  const body = JSON.stringify(hello);
  const request = `POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  for (; cut < response.length; cut++) {
    const answer = await exchangeBytes(router, request);
    assert.ok(answer.endsWith('\r\n\r\n2\r\n{}\r\n0\r\n\r\n'), `${cut}: ${answer}`);
    assert.doesNotMatch(answer, /trailer:|set-cookie|x-usage/i);
  }
  // One of the requests, and perhaps one of the health checks: the connections stay in step.
  const sockets = new Set(engines[0]?.received.map(({ socket }) => socket));
  assert.ok(sockets.size <= 2, `${sockets.size} connections`);
});
