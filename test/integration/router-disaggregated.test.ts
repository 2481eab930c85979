// Disaggregated prefill on real sockets: one engine computes the prompt, another one responds.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { RouterOptions, RunningRouter } from '../../src/apps/router/index.ts';
import { post, stack } from '../support/router-stack.ts';
import {
  chunk,
  eventStreamHead,
  type ReceivedRequest,
  respond,
  type Script,
} from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';

const hello = { model: 'm', messages: [{ role: 'user', content: 'Grüße "n": 3' }], max_tokens: 40 };
const params = { do_remote_prefill: true, remote_request_id: 'r-1', remote_host: 'localhost' };
const usage = { prompt_tokens: 7, completion_tokens: 1 };

type Body = Readonly<Record<string, unknown>>;

const bodyOf = ({ body }: ReceivedRequest): Body => JSON.parse(body) as Body;
const serves: Script = { onRequest: ({ socket }) => respond(socket, 200, '{"text":"whole"}') };
const prefills: Script = {
  onRequest: ({ socket }) =>
    respond(socket, 200, JSON.stringify({ choices: [], kv_transfer_params: params, usage })),
};

/** The first engines prefill, the others decode. */
async function split(
  context: TestContext,
  { prefill, decode }: { readonly prefill: readonly Script[]; readonly decode: readonly Script[] },
  options: Partial<RouterOptions> & { readonly tokensMin?: number } = {},
) {
  const { tokensMin = 0, ...rest } = options;
  const { router, engines } = await stack(
    context,
    [...prefill, ...decode],
    {
      policy: 'disaggregated_prefill_orchestrated',
      disaggregation: {
        ...{ prefillLabels: ['p'], decodeLabels: ['d'] },
        ...{ prefillPolicy: 'roundrobin', decodePolicy: 'roundrobin' },
        remotePrefillTokensMin: tokensMin,
      },
      ...rest,
    },
    [...prefill.map(() => 'p'), ...decode.map(() => 'd')],
  );
  const asked = () => engines.map(({ received }) => received.length);
  return { router, engines, asked, bodies: () => engines.map((one) => one.received.map(bodyOf)) };
}

async function handoffs(router: RunningRouter): Promise<Record<string, number>> {
  const page = await (await fetch(`${router.url}/metrics`)).text();
  const rows = page.matchAll(/spillway_router_prefill_handoffs_total\{outcome="(\w+)"\} (\d+)/g);
  return Object.fromEntries(Array.from(rows, ([, outcome, count]) => [outcome, Number(count)]));
}

async function isEmpty(router: RunningRouter): Promise<boolean> {
  const views = (await (await fetch(`${router.url}/engines`)).json()) as {
    readonly load: Readonly<Record<'inflight' | 'prefillTokens' | 'decodeTokens', number>>;
  }[];
  return views.every(({ load }) => load.inflight + load.prefillTokens + load.decodeTokens === 0);
}

test('the prompt is computed on one engine, and the other is told where its KV is', async (context) => {
  const { router, bodies, engines } = await split(context, {
    prefill: [prefills],
    decode: [serves],
  });
  const sent = { ...hello, stream: false, max_completion_tokens: 40, min_tokens: 9, seed: 2 ** 40 };
  const response = await post(router, sent);
  assert.deepEqual(await response.json(), { text: 'whole' });
  assert.equal(response.headers.get('x-spillway-engine'), engines[1]?.url);
  const [[first], [second]] = bodies() as [[Body], [Body]];
  const { min_tokens: _, ...kept } = sent;
  assert.deepEqual(first, {
    ...kept,
    ...{ max_tokens: 1, max_completion_tokens: 1, stream: false },
    kv_transfer_params: {
      ...{ do_remote_decode: true, do_remote_prefill: false },
      ...{ remote_engine_id: null, remote_block_ids: null, remote_host: null, remote_port: null },
    },
  });
  // The engine that prefilled knows a loopback address only: it is on the host at which the router reaches it.
  assert.deepEqual(second, {
    kv_transfer_params: { ...params, remote_host: '127.0.0.1' },
    ...sent,
  });
  assert.deepEqual(await handoffs(router), { transferred: 1 });
  assert.ok(await isEmpty(router));
});

test('a stream is that of the second engine, and follows the same rules as any other', async (context) => {
  const streams: Script = {
    onRequest: ({ socket }) =>
      void socket.write(
        eventStreamHead + chunk('data: {"choices":[]}\n\n') + chunk('data: [DONE]\n\n') + chunk(''),
      ),
  };
  const { router, bodies } = await split(context, { prefill: [prefills], decode: [streams] });
  const response = await post(router, { ...hello, stream: true, stream_options: {} });
  assert.match(await response.text(), /data: \{"choices":\[\]\}\n\ndata: \[DONE\]\n\n$/);
  const [[first], [second]] = bodies() as [[Body], [Body]];
  assert.deepEqual([first['stream'], second['stream']], [false, true]);
  assert.deepEqual(second['kv_transfer_params'], { ...params, remote_host: '127.0.0.1' });
});

test('an engine that decodes and refuses to be asked for token ids is told the place of the KV again', async (context) => {
  const strict: Script = {
    onRequest: ({ socket, body }) => {
      if (body.includes('return_token_ids')) respond(socket, 400, '"no return_token_ids"');
      else socket.write(eventStreamHead + chunk('data: [DONE]\n\n') + chunk(''));
    },
  };
  const { router, bodies } = await split(context, { prefill: [prefills], decode: [strict] });
  const response = await post(router, { ...hello, stream: true });
  assert.deepEqual([response.status, await response.text()], [200, 'data: [DONE]\n\n']);
  const [, decoded = []] = bodies();
  assert.equal(decoded.length, 2);
  for (const body of decoded) {
    assert.deepEqual(body['kv_transfer_params'], { ...params, remote_host: '127.0.0.1' });
  }
});

test('without "orchestrated", engines find the KV themselves', async (context) => {
  const { router, bodies } = await split(
    context,
    { prefill: [serves], decode: [serves] },
    { policy: 'disaggregated_prefill' },
  );
  assert.equal((await post(router, hello)).status, 200);
  const [[first], [second]] = bodies() as [[Body], [Body]];
  assert.equal(first['max_tokens'], 1);
  assert.equal('kv_transfer_params' in first, false);
  assert.deepEqual(second, hello);
  assert.deepEqual(await handoffs(router), { stored: 1 });
});

test('a failed prefill moves to another engine, and without one the request is not split', async (context) => {
  const fails: Script = { onRequest: ({ socket }) => respond(socket, 500, '{}') };
  const { router, asked } = await split(context, { prefill: [fails, prefills], decode: [serves] });
  assert.equal((await post(router, hello)).status, 200);
  assert.deepEqual(asked(), [1, 1, 1]);
  assert.deepEqual(await handoffs(router), { transferred: 1 });
  const none = await split(context, { prefill: [fails], decode: [serves] });
  const response = await post(none.router, hello);
  assert.deepEqual(await response.json(), { text: 'whole' });
  assert.deepEqual(none.asked(), [1, 1]);
  assert.deepEqual(none.bodies()[1], [hello]);
  assert.deepEqual(await handoffs(none.router), { unavailable: 1 });
  assert.ok(await isEmpty(none.router));
});

test('where no engine decodes, one that prefills does the whole of a request', async (context) => {
  const { router, engines } = await split(context, { prefill: [serves], decode: [serves] });
  await engines[1]?.close();
  const response = await post(router, hello);
  assert.deepEqual(await response.json(), { text: 'whole' });
});

test('an engine that decodes reads the KV once: after its failure another one computes the prompt', async (context) => {
  const resets: Script = { onRequest: ({ socket }) => void socket.destroy() };
  const { router, bodies } = await split(context, {
    prefill: [prefills],
    decode: [resets, serves],
  });
  assert.deepEqual(await (await post(router, hello)).json(), { text: 'whole' });
  const [, [read], [computed]] = bodies() as [Body[], [Body], [Body]];
  assert.ok('kv_transfer_params' in read);
  assert.deepEqual(computed, hello);
});

test('a response without the place of the KV, and one that is no JSON, cost a second prefill only', async (context) => {
  const answers = ['{"kv_transfer_params":null}', '[]', 'no JSON', '{"kv_transfer_params":[1]}'];
  let next = 0;
  const odd: Script = { onRequest: ({ socket }) => respond(socket, 200, answers[next++] ?? '') };
  const { router, bodies } = await split(context, { prefill: [odd], decode: [serves] });
  for (const _ of answers) assert.equal((await post(router, hello)).status, 200);
  assert.deepEqual(
    bodies()[1],
    answers.map(() => hello),
  );
  assert.deepEqual(await handoffs(router), { lost: answers.length });
});

test('a response of a prefill that does not end is not kept, and another engine does the work', async (context) => {
  const endless: Script = {
    onRequest({ socket }) {
      socket.write(
        'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
      );
      const write = () => {
        while (!socket.destroyed && socket.write(chunk(' '.repeat(65_536))));
      };
      socket.on('drain', write).on('error', () => {});
      write();
    },
  };
  const { router } = await split(context, { prefill: [endless], decode: [serves] });
  const response = await post(router, { ...hello, stream: true });
  assert.deepEqual(await response.json(), { text: 'whole' });
  assert.deepEqual(await handoffs(router), { unavailable: 1 });
  // No stream had begun that could have moved.
  const page = await (await fetch(`${router.url}/metrics`)).text();
  assert.doesNotMatch(page, /spillway_router_stream_migrations_total\{/);
  await until(() => isEmpty(router));
});

test('what the prefill engine refuses goes to the client as it is', async (context) => {
  const refuses: Script = {
    onRequest: ({ socket }) => respond(socket, 400, '{"error":{"message":"too long"}}'),
  };
  const { router, asked } = await split(context, { prefill: [refuses], decode: [serves] });
  const response = await post(router, hello);
  assert.equal(response.status, 400);
  assert.match(await response.text(), /too long/);
  assert.deepEqual(asked(), [1, 0]);
});

test('requests that cannot be split are decoded where they are prefilled', async (context) => {
  const { router, asked, bodies } = await split(context, { prefill: [prefills], decode: [serves] });
  const whole: Body[] = [
    { ...hello, n: 2 },
    { ...hello, use_beam_search: true },
    { ...hello, kv_transfer_params: { prompt_token_ids: [1, 2] } },
    { ...hello, user: 'x'.repeat(1 << 20) },
  ];
  for (const body of whole) assert.equal((await post(router, body)).status, 200);
  const messages = `${router.url}/v1/messages`;
  const init = { method: 'POST', body: JSON.stringify(hello) };
  assert.equal((await fetch(messages, init)).status, 200);
  assert.deepEqual(asked(), [0, 5]);
  assert.deepEqual(bodies()[1], [...whole, hello]);
});

test('a short prompt is prefilled where it is decoded', async (context) => {
  const { router, asked } = await split(
    context,
    { prefill: [prefills], decode: [serves] },
    { tokensMin: 100 },
  );
  await post(router, hello);
  assert.deepEqual(asked(), [0, 1]);
  await post(router, { ...hello, messages: [{ role: 'user', content: 'long '.repeat(200) }] });
  assert.deepEqual(asked(), [1, 2]);
  assert.deepEqual(await handoffs(router), { short: 1, transferred: 1 });
});

test('a client that leaves during the prefill ends it', async (context) => {
  const waits: Script = { onRequest: () => {} };
  const { router, engines } = await split(context, { prefill: [waits], decode: [serves] });
  const leave = new AbortController();
  const response = post(router, hello, { signal: leave.signal });
  await until(() => engines[0]?.received.length === 1);
  leave.abort();
  await assert.rejects(response);
  await until(() => engines[0]?.received[0]?.socket.destroyed === true);
  await until(() => isEmpty(router));
});

test('a prefill that is late moves within its deadline', async (context) => {
  const waits: Script = { onRequest: () => {} };
  const { router, asked } = await split(
    context,
    { prefill: [waits, prefills], decode: [serves] },
    { deadlines: { firstByteSeconds: 0.2 } },
  );
  assert.equal((await post(router, hello)).status, 200);
  assert.deepEqual(asked(), [1, 1, 1]);
});
