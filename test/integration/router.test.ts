// The router against scripted engines on real sockets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { post, stack } from '../support/router-stack.ts';
import { chunk, eventStreamHead, respond } from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';

const hello = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] };

test('requests go to the engines in turn, and requests and responses are unchanged', async (context) => {
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

test('a stream is relayed event by event', async (context) => {
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

test('a 503 from an engine moves the request to another one', async (context) => {
  const { router, engines } = await stack(context, [
    { onRequest: ({ socket }) => respond(socket, 503, '{"error":{}}') },
    {},
  ]);
  for (let i = 0; i < 2; i++) assert.equal((await post(router, hello)).status, 200);
  assert.equal(engines[1]?.received.length, 2);
});

test('an engine that breaks before the first byte and fails its health check is dead until it is healthy', async (context) => {
  let broken = false;
  const { router, engines } = await stack(context, [
    {
      onRequest: ({ socket }) => {
        if (broken) socket.resetAndDestroy();
        else respond(socket, 200, '{"ok":1}');
      },
      health: () => (broken ? 500 : 200),
    },
    {},
  ]);
  broken = true;
  const states = async () =>
    ((await (await fetch(`${router.url}/engines`)).json()) as { state: string }[]).map(
      ({ state }) => state,
    );
  while ((await states())[0] === 'live') assert.equal((await post(router, hello)).status, 200);
  const receivedThen = engines[0]?.received.length ?? 0;
  for (let i = 0; i < 6; i++) assert.equal((await post(router, hello)).status, 200);
  assert.equal(engines[0]?.received.length, receivedThen);
  assert.deepEqual(await states(), ['dead', 'live']);
  broken = false;
  while ((await states())[0] !== 'live') await new Promise((resolve) => setTimeout(resolve, 50));
  for (let i = 0; i < 4; i++) await post(router, hello);
  assert.ok((engines[0]?.received.length ?? 0) > receivedThen);
});

test('without a live engine a request gets 503 with Retry-After, and /health returns 503', async (context) => {
  let isBroken = false;
  const { router } = await stack(context, [
    { onRequest: ({ socket }) => socket.resetAndDestroy(), health: () => (isBroken ? 500 : 200) },
  ]);
  isBroken = true;
  assert.equal((await post(router, hello)).status, 502);
  while ((await fetch(`${router.url}/health`)).status === 200)
    await new Promise((resolve) => setImmediate(resolve));
  const response = await post(router, hello);
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('retry-after'), '1');
  assert.equal((await fetch(`${router.url}/health`)).status, 503);
});

test('a client’s disconnect reaches the engine at once, streaming or not', async (context) => {
  for (const stream of [true, false]) {
    const { router, engines } = await stack(context, [
      { onRequest: ({ socket }) => stream && socket.write(eventStreamHead + chunk('data: 1\n\n')) },
    ]);
    const abort = new AbortController();
    const answer = post(router, { ...hello, stream }, { signal: abort.signal });
    if (stream) await answer;
    while (engines[0]?.received.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const socket = engines[0]?.received[0]?.socket;
    const closed = new Promise((resolve) => socket?.once('close', resolve));
    abort.abort();
    await assert.rejects(stream ? (await answer).text() : answer);
    await closed;
    const [view] = (await (await fetch(`${router.url}/engines`)).json()) as [
      { load: { inflight: number } },
    ];
    assert.equal(view.load.inflight, 0);
  }
});

test('a stream that breaks ends with an error event and without its last chunk', async (context) => {
  const { router } = await stack(context, [
    {
      onRequest: ({ socket }) => {
        socket.write(eventStreamHead + chunk('data: {"a":1}\n\n'), () => socket.resetAndDestroy());
      },
    },
  ]);
  const response = await post(router, { ...hello, stream: true });
  let text = '';
  await assert.rejects(async () => {
    for await (const bytes of response.body ?? []) text += Buffer.from(bytes).toString();
  });
  assert.match(text, /^data: \{"a":1\}\n\n\n\ndata: \{"error":\{"message":"Engine [^"]+"/);
});

test('a slow client slows its engine down instead of filling the router’s memory', async (context) => {
  const megabyte = chunk('x'.repeat(1_048_576));
  let written = 0;
  const { router } = await stack(context, [
    {
      onRequest: ({ socket }) => {
        socket.write(eventStreamHead);
        const write = () => {
          while (written < 100) {
            written++;
            if (!socket.write(megabyte)) {
              socket.once('drain', write);
              return;
            }
          }
          socket.write(chunk(''));
        };
        write();
      },
    },
  ]);
  const response = await post(router, { ...hello, stream: true });
  const before = process.memoryUsage().arrayBuffers;
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(written < 40, `${written} MB were taken from the engine`);
  assert.ok(process.memoryUsage().arrayBuffers - before < 40_000_000);
  const bytes = (await response.arrayBuffer()).byteLength;
  assert.equal(bytes, 100 * 1_048_576);
});

test('hop-by-hop headers are dropped; the router sets keys and request ids', async (context) => {
  const { router, engines } = await stack(context, [{}], {
    apiKey: 'client-key',
    engineApiKey: 'engine-key',
  });
  assert.equal((await post(router, hello)).status, 401);
  const response = await post(router, hello, {
    headers: {
      authorization: 'Bearer client-key',
      'proxy-authorization': 'secret',
      'x-spillway-pick': 'mine',
      te: 'trailers',
      'x-kept': 'yes',
    },
  });
  assert.equal(response.status, 200);
  const headers = engines[0]?.received[0]?.headers;
  assert.equal(headers?.get('authorization'), 'Bearer engine-key');
  assert.equal(headers?.get('x-kept'), 'yes');
  for (const name of ['proxy-authorization', 'x-spillway-pick', 'te', 'connection']) {
    assert.equal(headers?.has(name), false, name);
  }
  assert.match(headers?.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/);
  assert.equal(response.headers.get('x-spillway-engine'), engines[0]?.url);
  assert.ok(response.headers.get('x-spillway-pick'));
});

test('two requests in flight with one id reach the engine with different ids', async (context) => {
  const waiting: (() => void)[] = [];
  const { router, engines } = await stack(context, [
    { onRequest: ({ socket }) => waiting.push(() => respond(socket, 200, '{}')) },
  ]);
  const headers = { 'x-request-id': 'same' };
  const answers = [post(router, hello, { headers }), post(router, hello, { headers })];
  while (waiting.length < 2) await new Promise((resolve) => setImmediate(resolve));
  for (const answer of waiting) answer();
  for (const answer of await Promise.all(answers)) {
    assert.equal(answer.headers.get('x-request-id'), 'same');
  }
  const ids = engines[0]?.received.map((request) => request.headers.get('x-request-id'));
  assert.equal(new Set(ids).size, 2);
});

test('an alias reaches the engine under the name of its model', async (context) => {
  const { router, engines } = await stack(context, [{}], { aliases: new Map([['gpt', 'm']]) });
  await post(router, '{ "model" : "gpt", "n":1}');
  assert.equal(engines[0]?.received[0]?.body, '{ "model" : "m", "n":1}');
  const { data } = (await (await fetch(`${router.url}/v1/models`)).json()) as {
    data: { id: string }[];
  };
  assert.deepEqual(
    data.map(({ id }) => id),
    ['m', 'gpt'],
  );
});

test('control routes of engines are not forwarded', async (context) => {
  const { router, engines } = await stack(context, [{}]);
  for (const path of [
    '/sleep',
    '/reset_prefix_cache',
    '/v1/load_lora_adapter',
    '/collective_rpc',
  ]) {
    const response = await fetch(`${router.url}${path}`, { method: 'POST', body: '{"model":"m"}' });
    assert.equal(response.status, 404, path);
  }
  assert.equal(engines[0]?.received.length, 0);
});

test('/metrics has upstream’s names, and /engines has the engine’s report', async (context) => {
  const { router } = await stack(
    context,
    [
      {
        metrics: () =>
          'vllm:num_requests_running{engine="0"} 3.0\nvllm:num_requests_waiting{engine="0"} 2.0\n' +
          'vllm:kv_cache_usage_perc{engine="0"} 0.5\n' +
          'vllm:cache_config_info{block_size="16",num_gpu_blocks="101"} 1.0\n',
      },
    ],
    { statsIntervalMs: 20 },
  );
  await post(router, hello);
  let reported: Record<string, unknown> | null = null;
  while (reported === null) {
    const [view] = (await (await fetch(`${router.url}/engines`)).json()) as [
      { reported: Record<string, unknown> | null },
    ];
    reported = view.reported;
  }
  assert.deepEqual(
    [reported['running'], reported['waiting'], reported['blocksTotal'], reported['blocksUsed']],
    [3, 2, 101, 50],
  );
  const page = await (await fetch(`${router.url}/metrics`)).text();
  assert.match(page, /vllm:num_incoming_requests_total\{model="m"\} 1\.0/);
  assert.match(page, /vllm:num_requests_running\{server="[^"]+"\} 3\.0/);
  await until(async () => {
    const later = await (await fetch(`${router.url}/metrics`)).text();
    return Number(/vllm:current_qps\{server="[^"]+"\} (\S+)/.exec(later)?.[1]) > 0;
  });
  assert.match(
    page,
    /vllm:request_latency_seconds_count\{model="m",server="[^"]+",status="200"\} 1\.0/,
  );
});

test('the openai client chats, streams, aborts and gets errors through the router', async (context) => {
  const answer = {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }],
  };
  const event = (content: string) =>
    chunk(
      `data: ${JSON.stringify({ ...answer, choices: [{ index: 0, delta: { content } }] })}\n\n`,
    );
  const { router } = await stack(context, [
    {
      onRequest: ({ socket, body }) => {
        if (!body.includes('"stream":true')) respond(socket, 200, JSON.stringify(answer));
        else if (body.includes('forever')) socket.write(eventStreamHead + event('a'));
        else
          socket.write(
            eventStreamHead + event('H') + event('i') + chunk('data: [DONE]\n\n') + chunk(''),
          );
      },
    },
  ]);
  const client = new OpenAI({ baseURL: `${router.url}/v1`, apiKey: 'none', maxRetries: 0 });
  const messages = [{ role: 'user' as const, content: 'Hello' }];
  const chat = await client.chat.completions.create({ model: 'm', messages });
  assert.equal(chat.choices[0]?.message.content, 'Hi');
  let text = '';
  for await (const part of await client.chat.completions.create({
    model: 'm',
    messages,
    stream: true,
  })) {
    text += part.choices[0]?.delta.content ?? '';
  }
  assert.equal(text, 'Hi');
  const endless = await client.chat.completions.create({
    model: 'm',
    messages: [{ role: 'user', content: 'forever' }],
    stream: true,
  });
  for await (const _part of endless) endless.controller.abort();
  await assert.rejects(
    client.chat.completions.create({ model: 'gone', messages }),
    (error) => error instanceof OpenAI.NotFoundError && error.param === 'model',
  );
});
