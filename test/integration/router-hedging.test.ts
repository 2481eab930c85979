// Requests that are sent to a second engine because their first byte is late, on real sockets.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import {
  type RouterOptions,
  type RunningRouter,
  startRouter,
} from '../../src/apps/router/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { post, stack } from '../support/router-stack.ts';
import {
  chunk,
  eventStreamHead,
  type ReceivedRequest,
  respond,
} from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';

const hello = { model: 'm', stream: true, messages: [{ role: 'user', content: 'Hello' }] };
/** So many first bytes tell when one is late. */
const samples = 100;
const hedging = { budget: 10 };
const json = { headers: { 'content-type': 'application/json' } };

type Action = (request: ReceivedRequest, engine: number) => void;

const serves: Action = ({ socket }, engine) => {
  socket.write(`${eventStreamHead}${chunk(`data: engine ${engine}\n\n`)}`);
  socket.write(`${chunk('data: [DONE]\n\n')}${chunk('')}`);
};
const hangs: Action = () => {};

/** Engines that serve, until `become` gives them something else to do, and a router that has measured them. */
async function measured(context: TestContext, count: number, options?: Partial<RouterOptions>) {
  const actions: Action[] = Array.from({ length: count }, () => serves);
  const { router, engines } = await stack(
    context,
    actions.map((_, engine) => ({ onRequest: (request) => actions[engine]?.(request, engine) })),
    { hedging, ...options },
  );
  for (let i = 0; i < samples; i++) await (await post(router, hello)).text();
  for (const { received } of engines) received.length = 0;
  return {
    ...{ router, engines },
    become: (...changed: Action[]) => changed.forEach((one, i) => void actions.splice(i, 1, one)),
    asked: () => engines.map(({ received }) => received.length),
  };
}

/** The outcomes of the hedges that the router has counted. */
async function hedges(router: RunningRouter): Promise<Record<string, number>> {
  const page = await (await fetch(`${router.url}/metrics`)).text();
  const counts: Record<string, number> = {};
  for (const [, outcome = '', count] of page.matchAll(
    /^spillway_router_hedges_total\{outcome="(\w+)",[^}]*\} (\S+)$/gm,
  )) {
    counts[outcome] = (counts[outcome] ?? 0) + Number(count);
  }
  return counts;
}

async function inflight(router: RunningRouter): Promise<number> {
  const views = (await (await fetch(`${router.url}/engines`)).json()) as {
    load: { inflight: number; prefillTokens: number };
  }[];
  return views.reduce((sum, { load }) => sum + load.inflight + load.prefillTokens, 0);
}

function isClosed({ socket }: ReceivedRequest): boolean {
  return socket.destroyed;
}

test('a late request is sent to a second engine, whose response wins; the first connection is closed', async (context) => {
  const { router, engines, become } = await measured(context, 2);
  become(hangs);
  const response = await post(router, hello);
  assert.match(await response.text(), /engine 1/);
  const [late] = engines[0]?.received ?? [];
  await until(() => late !== undefined && isClosed(late));
  assert.deepEqual(await hedges(router), { won: 1 });
  assert.equal(await inflight(router), 0);
  const picks = await (await fetch(`${router.url}/debug/picks`)).text();
  assert.match(picks, /hedge, as the first byte is late: its turn/);
});

test('if the first engine responds before the second one, the second connection is closed', async (context) => {
  const { router, engines, become } = await measured(context, 2);
  become(hangs, hangs);
  const answered = post(router, hello);
  await until(() => engines[1]?.received.length === 1);
  serves(engines[0]?.received[0] as ReceivedRequest, 0);
  assert.match(await (await answered).text(), /engine 0/);
  const [second] = engines[1]?.received ?? [];
  await until(() => second !== undefined && isClosed(second));
  assert.deepEqual(await hedges(router), { lost: 1 });
  assert.equal(await inflight(router), 0);
});

test('a head alone does not win', async (context) => {
  const { router, engines, become } = await measured(context, 2);
  become(hangs, ({ socket }) => socket.write(eventStreamHead));
  const answered = post(router, hello);
  await until(() => engines[1]?.received.length === 1);
  serves(engines[0]?.received[0] as ReceivedRequest, 0);
  assert.match(await (await answered).text(), /engine 0/);
  assert.deepEqual(await hedges(router), { lost: 1 });
});

/** Three engines of which the first to be asked, the second and the third do these. */
async function inOrder(context: TestContext, ...actions: [Action, Action, Action]) {
  const { router, become } = await measured(context, 3);
  const asked: ReceivedRequest[] = [];
  const next: Action = (request, engine) => {
    asked.push(request);
    actions[asked.length - 1]?.(request, engine);
  };
  become(next, next, next);
  return { router, asked };
}

const busy: Action = ({ socket }) => respond(socket, 503, '{"error":{"message":"busy"}}');

test('if both engines fail, a third one is asked', async (context) => {
  const { router, asked } = await inOrder(context, hangs, busy, serves);
  const answered = post(router, hello);
  await until(async () => (await hedges(router))['failed'] === 1);
  busy(asked[0] as ReceivedRequest, 0);
  assert.match(await (await answered).text(), /engine/);
  assert.equal(asked.length, 3);
  assert.equal(await inflight(router), 0);
});

test('if the first engine fails while a second one has the request, no third is asked', async (context) => {
  const { router, asked } = await inOrder(context, hangs, hangs, serves);
  const answered = post(router, hello);
  await until(() => asked.length === 2);
  busy(asked[0] as ReceivedRequest, 0);
  await until(async () => (await hedges(router))['won'] === 1);
  serves(asked[1] as ReceivedRequest, 7);
  assert.match(await (await answered).text(), /engine 7/);
  assert.equal(asked.length, 2);
});

test('a client that leaves ends both attempts', async (context) => {
  const { router, engines, become, asked } = await measured(context, 2);
  become(hangs, hangs);
  const leaving = new AbortController();
  const answered = post(router, hello, { signal: leaving.signal }).catch(String);
  await until(() => asked().every((count) => count === 1));
  leaving.abort();
  assert.match(String(await answered), /Abort/);
  await until(() => engines.every(({ received }) => received.every(isClosed)));
  await until(async () => (await inflight(router)) === 0);
  assert.deepEqual(await hedges(router), { cancelled: 1 });
});

test('requests that must not be sent twice are not, however late they are', async (context) => {
  const { router, engines, become, asked } = await measured(context, 2);
  become(hangs, hangs);
  const leaving = new AbortController();
  const { signal } = leaving;
  const large = { ...hello, messages: [{ role: 'user', content: 'x'.repeat(1_200_000) }] };
  const once: readonly (readonly [string, object])[] = [
    ['/v1/chat/completions', { ...hello, stream: false }],
    ['/v1/chat/completions', large],
    ['/v1/chat/completions', { ...hello, kv_transfer_params: { do_remote_prefill: true } }],
    [`/v1/chat/completions?id=${encodeURIComponent(engines[0]?.url ?? '')}`, hello],
    ['/v1/responses', { model: 'm', stream: true, input: 'Hello' }],
    ['/v1/embeddings', { model: 'm', input: 'Hello' }],
  ];
  for (const [path, body] of once) {
    const init = { method: 'POST', body: JSON.stringify(body), signal };
    fetch(`${router.url}${path}`, init).catch(() => {});
  }
  const total = () => asked().reduce((sum, count) => sum + count, 0);
  await until(() => total() === once.length);
  // Engines with requests that wait are not idle.
  become(hangs, serves);
  for (const request of engines[1]?.received ?? []) serves(request, 1);
  // A later request may be hedged; by then the others would have been.
  const before = total();
  const texts = await Promise.all([1, 2].map(async () => (await post(router, hello)).text()));
  for (const text of texts) assert.match(text, /engine 1/);
  assert.deepEqual(await hedges(router), { won: 1 });
  assert.equal(total(), before + 3);
  leaving.abort();
});

test('no request is hedged while it has not been measured, when it is off, or when the router drains', async (context) => {
  for (const [options, requests] of [
    [{ hedging: { budget: 0 } }, samples],
    [{ hedging }, samples - 1],
  ] as const) {
    const engines = Array.from({ length: 2 }, () => ({ action: serves }));
    const { router } = await stack(
      context,
      engines.map((engine, i) => ({ onRequest: (request) => engine.action(request, i) })),
      { ...options, deadlines: { firstByteSeconds: 1 } },
    );
    for (let i = 0; i < requests; i++) await (await post(router, hello)).text();
    for (const engine of engines) engine.action = hangs;
    assert.equal((await post(router, hello)).status, 504);
    assert.deepEqual(await hedges(router), {});
  }
  const { router, become } = await measured(context, 2, { deadlines: { firstByteSeconds: 1 } });
  become(hangs);
  router.retire();
  assert.match(await (await post(router, hello)).text(), /engine 1/);
  assert.deepEqual(await hedges(router), {});
});

test('a slow engine in four: with hedging no client waits for it', async (context) => {
  const slowSeconds = 3;
  const slowest = async (options: Partial<RouterOptions>): Promise<number> => {
    const { router, become } = await measured(context, 4, options);
    let turn = 0;
    become((request, engine) => {
      if (++turn % 5 === 0) void sleep(slowSeconds * 1000).then(() => serves(request, engine));
      else serves(request, engine);
    });
    let most = 0;
    for (let i = 0; i < 60; i++) {
      const startedAtMs = performance.now();
      await (await post(router, hello)).text();
      most = Math.max(most, (performance.now() - startedAtMs) / 1000);
    }
    return most;
  };
  const [without, with_] = await Promise.all([slowest({ hedging: { budget: 0 } }), slowest({})]);
  assert.ok(without >= slowSeconds, `${without} s without hedging`);
  assert.ok(with_ < slowSeconds, `${with_} s with hedging`);
});

test('an engine that wins and dies in mid-stream is left like any other: the stream moves', async (context) => {
  const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });
  const config = defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 2000 });
  const tokenizer = await loadTokenizer();
  const engines = await Promise.all(
    [0, 1, 2].map(() =>
      createEngineServer({
        ...{ port: 0, model: 'm', tokenizer, config, cost: { stepSeconds: () => 0.001 } },
      }),
    ),
  );
  const router = await startRouter({
    port: 0,
    engines: engines.map(({ url }) => ({ url, models: [] })),
    ...{ policy: 'roundrobin', log, tickMs: 20, hedging },
    deadlines: { firstByteSeconds: 2 },
  });
  context.after(async () => {
    await router.close(0);
    await Promise.all(engines.map((engine) => engine.close()));
  });
  await router.probed;
  const textOf = async (url: string, maxTokens: number): Promise<string> => {
    const body = JSON.stringify({ ...hello, max_tokens: maxTokens });
    const response = await fetch(`${url}/v1/chat/completions`, { ...json, method: 'POST', body });
    const events = (await response.text()).split('\n\n').filter((one) => one !== '');
    assert.equal(events.pop(), 'data: [DONE]');
    return events.map((one) => JSON.parse(one.slice(6)).choices[0].delta.content ?? '').join('');
  };
  const unbroken = await textOf(engines[0]?.url ?? '', 14);
  for (let i = 0; i < samples; i++) await textOf(router.url, 2);
  const hang = { hangBeforeFirstByte: { probability: 1, seconds: 60 } };
  const cut = { cutStream: { probability: 1, events: 10 } };
  for (const [i, faults] of [hang, cut, cut].entries()) {
    const response = await fetch(`${engines[i]?.url}/spillway/faults`, {
      ...{ ...json, method: 'PUT', body: JSON.stringify(faults) },
    });
    assert.equal(response.status, 200);
  }
  while (((await hedges(router))['won'] ?? 0) === 0) {
    assert.equal(await textOf(router.url, 14), unbroken);
  }
  const page = await (await fetch(`${router.url}/metrics`)).text();
  assert.match(page, /stream_migrations_total\{outcome="moved",reason="truncated"\} [1-9]/);
  await until(async () => (await inflight(router)) === 0);
});
