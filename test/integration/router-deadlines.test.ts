// Deadlines of requests on real sockets: engines that hang, and clients that say how long they wait.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post, stack } from '../support/router-stack.ts';
import { chunk, eventStreamHead, respond, type Script } from '../support/scripted-engine.ts';

const hello = { model: 'm', messages: [{ role: 'user', content: 'Hello' }], stream: true };
const serves: Script = { onRequest: ({ socket }) => respond(socket, 200, '{"ok":true}') };
const silent: Script = { onRequest: () => {} };

test('an engine that sends a head and then hangs has missed the deadline of the first byte', async (context) => {
  const { router, engines } = await stack(
    context,
    [{ onRequest: ({ socket }) => socket.write(eventStreamHead) }, serves],
    { deadlines: { firstByteSeconds: 0.06 } },
  );
  const response = await post(router, hello);
  assert.deepEqual(await response.json(), { ok: true });
  assert.deepEqual(
    engines.map(({ received }) => received.length),
    [1, 1],
  );
  const metrics = await (await fetch(`${router.url}/metrics`)).text();
  assert.match(metrics, /spillway_router_deadlines_expired_total\{.*firstByte.*\} 1\.0\n/);
});

test('a client’s deadline ends its request with 504, and no engine counts it as a failure', async (context) => {
  for (const [name, value] of [
    ['x-envoy-upstream-rq-timeout-ms', '80'],
    ['grpc-timeout', '80m'],
    ['x-stainless-timeout', '0.08'],
  ] as const) {
    const { router, engines } = await stack(context, [silent, serves]);
    const response = await post(router, hello, { headers: { [name]: value } });
    assert.equal(response.status, 504);
    const { error } = (await response.json()) as { error: { message: string } };
    assert.match(error.message, /the time for the request is over/);
    assert.equal(engines[1]?.received.length, 0);
    const views = (await (await fetch(`${router.url}/engines`)).json()) as {
      totals: { errors: number };
      load: { inflight: number };
    }[];
    assert.deepEqual(
      views.map(({ totals, load }) => [totals.errors, load.inflight]),
      [
        [0, 0],
        [0, 0],
      ],
    );
  }
});

test('the deadline of a request ends its stream with an error event', async (context) => {
  const { router } = await stack(
    context,
    [{ onRequest: ({ socket }) => socket.write(eventStreamHead + chunk('data: {"a":1}\n\n')) }],
    { deadlines: { totalSeconds: 0.1 } },
  );
  const response = await post(router, hello);
  assert.equal(response.status, 200);
  const reader = response.body?.getReader();
  let text = '';
  await assert.rejects(async () => {
    for (;;) {
      const part = await reader?.read();
      if (part?.done) return;
      text += Buffer.from(part?.value ?? []).toString();
    }
  });
  assert.match(text, /data: \{"a":1\}[\s\S]*the time for the request is over/);
});

test('an engine whose streams all stop is ejected while /health still returns 200, and its requests move', async (context) => {
  let begun = 0;
  const wedges: Script = {
    // Two streams begin; from then on nothing moves.
    onRequest: ({ socket }) => {
      if (begun++ < 2) socket.write(eventStreamHead + chunk('data: {"a":1}\n\n'));
    },
  };
  const { router, engines } = await stack(context, [wedges, serves], {
    deadlines: { engineStallSeconds: 0.3 },
    policy: 'session',
    sessionKey: 'x-user',
  });
  // Finds a session that goes to the first engine.
  const session = async () => {
    for (let i = 0; ; i++) {
      const answer = post(router, hello, { headers: { 'x-user': `user-${i}` } });
      const response = await answer;
      if (response.headers.get('x-spillway-engine') === engines[0]?.url) return { i, response };
    }
  };
  const { i, response } = await session();
  const headers = { 'x-user': `user-${i}` };
  const second = await post(router, hello, { headers });
  const third = await post(router, hello, { headers });
  assert.deepEqual(await third.json(), { ok: true });
  for (const stream of [response, second]) await assert.rejects(stream.text());
  const views = (await (await fetch(`${router.url}/engines`)).json()) as {
    state: string;
    ejected: boolean;
  }[];
  assert.deepEqual(
    views.map(({ state, ejected }) => [state, ejected]),
    [
      ['live', true],
      ['live', false],
    ],
  );
  const metrics = await (await fetch(`${router.url}/metrics`)).text();
  assert.match(metrics, /spillway_router_engine_stalls_total\{.*\} 1\.0\n/);
});

test('a slow client does not make its engine look wedged', async (context) => {
  const { router, engines } = await stack(
    context,
    [
      {
        onRequest: ({ socket }) => {
          socket.write(eventStreamHead);
          const event = chunk(`data: ${'x'.repeat(60_000)}\n\n`);
          // More than all buffers between the engine and a client that does not read.
          for (let i = 0; i < 400; i++) socket.write(event);
          socket.write('0\r\n\r\n');
        },
      },
    ],
    { deadlines: { engineStallSeconds: 0.1, streamIdleSeconds: 0.1 } },
  );
  const streams = await Promise.all([post(router, hello), post(router, hello)]);
  await new Promise((resolve) => setTimeout(resolve, 600));
  for (const stream of streams) assert.ok((await stream.text()).length > 20_000_000);
  assert.equal(engines[0]?.received.length, 2);
});
