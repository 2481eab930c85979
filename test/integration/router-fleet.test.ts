// Engines that come and go while a router runs, on real sockets.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startRouter } from '../../src/apps/router/index.ts';
import type { EndpointChange, EndpointSource } from '../../src/io/endpoints/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import { post } from '../support/router-stack.ts';
import {
  chunk,
  eventStreamHead,
  respond,
  type Script,
  type ScriptedEngine,
  startScriptedEngine,
} from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';

const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });

test('an added engine gets requests once it is healthy, and a removed engine gets none', async (t) => {
  const { router, endpoints, engine, states } = await begin(t);
  const [a, b] = [await engine(), await engine()];
  assert.equal((await fetch(`${router.url}/health`)).status, 503);
  endpoints.add(a);
  await until(async () => (await states()).get(a.url) === 'live');
  assert.equal((await post(router, { model: 'm', messages: [] })).status, 200);
  endpoints.add(b);
  endpoints.remove(a);
  await until(async () => (await states()).get(b.url) === 'live');
  for (let i = 0; i < 4; i++) await post(router, { model: 'm', messages: [] });
  assert.deepEqual([a.received.length, b.received.length], [1, 4]);
  assert.deepEqual(await states(), new Map([[b.url, 'live']]));
});

test('an adapter that is loaded is routed, and a model no longer listed is not, within a scrape', async (t) => {
  const { router, endpoints, engine, states } = await begin(t, { statsIntervalMs: 100 });
  let models = ['m'];
  const a = await engine({ models: () => models });
  const b = await engine({ models: ['m'] });
  for (const one of [a, b]) {
    endpoints.add(one);
    await until(async () => (await states()).get(one.url) === 'live');
  }
  const ask = async (model: string) => (await post(router, { model, messages: [] })).status;
  const listed = async () => {
    const { data } = (await (await fetch(`${router.url}/v1/models`)).json()) as {
      data: readonly { id: string }[];
    };
    return data.map(({ id }) => id).join();
  };
  assert.equal(await ask('sql'), 404);
  models = ['m', 'sql'];
  await until(async () => (await ask('sql')) === 200);
  assert.equal(await listed(), 'm,sql');
  models = ['sql'];
  const before = a.received.length;
  await until(async () => {
    const sent = a.received.length;
    for (let i = 0; i < 4; i++) assert.equal(await ask('m'), 200);
    return a.received.length === sent;
  });
  assert.ok(a.received.length >= before);
  models = ['m'];
  await until(async () => (await ask('sql')) === 503);
  assert.equal(await listed(), 'm');
});

test('an engine that sleeps gets no requests until it is awake, though it is healthy', async (t) => {
  const { router, endpoints, engine, states } = await begin(t, { statsIntervalMs: 20 });
  let awake = 1;
  const metrics = () =>
    'vllm:num_requests_running{engine="0"} 0\n' +
    `vllm:engine_sleep_state{engine="0",model_name="m",sleep_state="awake"} ${awake}\n` +
    `vllm:engine_sleep_state{engine="0",model_name="m",sleep_state="discard_all"} ${1 - awake}\n`;
  const a = await engine({ metrics });
  endpoints.add(a);
  await until(async () => (await states()).get(a.url) === 'live');
  const ask = async () => await post(router, { model: 'm', messages: [] });
  assert.equal((await ask()).status, 200);
  awake = 0;
  await until(async () => (await states()).get(a.url) === 'asleep');
  const refused = await ask();
  assert.equal(refused.status, 503);
  assert.match(await refused.text(), /is asleep/);
  awake = 1;
  await until(async () => (await states()).get(a.url) === 'live');
  assert.equal((await ask()).status, 200);
  assert.equal(a.received.length, 2);
});

test('a stream ends normally on a removed engine, and then all state of the engine is dropped', async (t) => {
  const { router, endpoints, engine, states, rows } = await begin(t);
  let finish = () => {};
  const streaming = await engine({
    onRequest: ({ socket }) => {
      socket.write(eventStreamHead + chunk('data: 1\n\n'));
      finish = () => socket.write(chunk('data: 2\n\n') + chunk(''));
    },
  });
  const other = await engine();
  endpoints.add(streaming);
  await until(async () => (await states()).get(streaming.url) === 'live');
  const response = await post(router, { model: 'm', stream: true, messages: [] });
  endpoints.add(other);
  await until(async () => (await states()).get(other.url) === 'live');
  endpoints.remove(streaming);
  assert.equal((await states()).get(streaming.url), 'draining');
  for (let i = 0; i < 3; i++) await post(router, { model: 'm', messages: [] });
  assert.equal(other.received.length, 3);
  assert.ok((await rows(streaming.url)).length > 0);
  finish();
  assert.equal(await response.text(), 'data: 1\n\ndata: 2\n\n');
  await until(async () => (await states()).size === 1);
  assert.deepEqual(await rows(streaming.url), []);
  await until(() => streaming.sockets.size === 0);
});

test('an engine that is listed again while it drains stays, and one that was dropped starts anew', async (t) => {
  const { router, endpoints, engine, states, rows } = await begin(t);
  let finish = () => {};
  const a = await engine({
    onRequest: ({ socket, body }) => {
      finish = () => respond(socket, 200, '{}');
      if (!body.includes('slow')) finish();
    },
  });
  endpoints.add(a);
  await until(async () => (await states()).get(a.url) === 'live');
  const slow = post(router, { model: 'm', messages: ['slow'] });
  await until(() => a.received.length === 1);
  endpoints.remove(a);
  endpoints.add(a);
  await until(async () => (await states()).get(a.url) === 'live');
  finish();
  assert.equal((await slow).status, 200);
  assert.equal((await post(router, { model: 'm', messages: [] })).status, 200);

  endpoints.remove(a);
  await until(async () => (await states()).size === 0);
  assert.deepEqual(await rows(a.url), []);
  endpoints.add(a);
  await until(async () => (await states()).get(a.url) === 'live');
  assert.equal((await post(router, { model: 'm', messages: [] })).status, 200);
  assert.ok(
    (await rows(a.url)).includes(
      `spillway_router_requests_total{outcome="completed",server="${a.url}"} 1.0`,
    ),
  );
});

test('health checks do not revive a draining engine', async (t) => {
  const { router, endpoints, engine, states } = await begin(t, { healthIntervalMs: 5 });
  let finish = () => {};
  let checks = 0;
  const a = await engine({
    onRequest: ({ socket }) => {
      finish = () => respond(socket, 200, '{}');
    },
    health: () => {
      checks += 1;
      return 200;
    },
  });
  endpoints.add(a);
  await until(async () => (await states()).get(a.url) === 'live');
  const slow = post(router, { model: 'm', messages: [] });
  await until(() => a.received.length === 1);
  endpoints.remove(a);
  const before = checks;
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(checks <= before + 1, `${checks - before} checks`);
  assert.deepEqual(await states(), new Map([[a.url, 'draining']]));
  finish();
  assert.equal((await slow).status, 200);
  await until(async () => (await states()).size === 0);
});

test('under load no request fails while engines are added and removed, and all load counts end at zero', async (t) => {
  const { router, endpoints, engine, states, rows } = await begin(t, { policy: 'predictive' });
  const engines: ScriptedEngine[] = [];
  for (let i = 0; i < 6; i++) {
    engines.push(
      await engine({
        onRequest: ({ socket }) => {
          setTimeout(() => respond(socket, 200, '{"ok":true}'), Math.random() * 8);
        },
      }),
    );
  }
  const at = (i: number) => engines[i % engines.length] as ScriptedEngine;
  for (const one of [at(0), at(1), at(2)]) endpoints.add(one);
  await until(
    async () => [...(await states()).values()].filter((state) => state === 'live').length === 3,
  );
  let isOver = false;
  const statuses = new Map<number, number>();
  const clients = Array.from({ length: 12 }, async () => {
    while (!isOver) {
      const response = await post(router, { model: 'm', messages: ['hello'] });
      await response.text();
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    }
  });
  for (let i = 0; i < 18; i++) {
    endpoints.add(at(i + 3));
    await until(async () => (await states()).get(at(i + 3).url) === 'live');
    endpoints.remove(at(i));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  isOver = true;
  await Promise.all(clients);
  assert.deepEqual([...statuses.keys()], [200]);
  assert.ok((statuses.get(200) ?? 0) > 100, `${statuses.get(200)} requests`);
  await until(async () => (await states()).size === 3);
  const views = (await (await fetch(`${router.url}/engines`)).json()) as {
    readonly load: Readonly<Record<string, number>>;
  }[];
  for (const { load } of views) {
    assert.deepEqual(load, { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0 });
  }
  for (const one of [at(18), at(19), at(20)]) endpoints.remove(one);
  await until(async () => (await states()).size === 0);
  for (const { url } of engines) assert.deepEqual(await rows(url), []);
});

test('peer routers share the load of an engine while both list it, and both drop it', async (t) => {
  const one = await begin(t, { peers: true });
  const two = await begin(t, { peers: [one.router.url] });
  let finish = () => {};
  const a = await one.engine({
    onRequest: ({ socket }) => {
      finish = () => respond(socket, 200, '{}');
    },
  });
  for (const router of [one, two]) {
    router.endpoints.add(a);
    await until(async () => (await router.states()).get(a.url) === 'live');
  }
  const inflight = async () => {
    const [view] = (await (await fetch(`${two.router.url}/engines`)).json()) as {
      readonly load: { readonly inflight: number };
    }[];
    return view?.load.inflight;
  };
  await until(async () => {
    const view = (await (await fetch(`${one.router.url}/debug/router`)).json()) as {
      readonly routers: { readonly listeners: number };
    };
    return view.routers.listeners === 1;
  });
  const request = post(one.router, { model: 'm', messages: [] });
  await until(async () => (await inflight()) === 1);
  two.endpoints.remove(a);
  await until(async () => (await two.states()).size === 0);
  two.endpoints.add(a);
  await until(async () => (await two.states()).get(a.url) === 'live');
  assert.equal(await inflight(), 0);
  finish();
  await request;
  await until(async () => (await inflight()) === 0);
});

/** A router over a source that the test speaks for. */
async function begin(
  t: TestContext,
  options: {
    readonly policy?: string;
    readonly healthIntervalMs?: number;
    readonly statsIntervalMs?: number;
    /** `true`: it shares its attempts with whoever listens. */
    readonly peers?: true | readonly string[];
  } = {},
) {
  const endpoints = new SpokenSource();
  const { peers } = options;
  const router = await startRouter({
    ...{ port: 0, engines: endpoints, log, tickMs: 10 },
    policy: options.policy ?? 'roundrobin',
    healthIntervalMs: options.healthIntervalMs ?? 5_000,
    statsIntervalMs: options.statsIntervalMs,
    peers: peers && { urls: peers === true ? ['http://127.0.0.1:9'] : peers, lookupMs: 50 },
  });
  t.after(() => router.close(0));
  return {
    router,
    endpoints,
    engine: async (script: Script = {}) => {
      const engine = await startScriptedEngine(script);
      t.after(() => engine.close());
      return engine;
    },
    states: async () => {
      const views = (await (await fetch(`${router.url}/engines`)).json()) as {
        readonly url: string;
        readonly state: string;
      }[];
      return new Map(views.map(({ url, state }) => [url, state]));
    },
    /** Rows of /metrics that tell of an engine. */
    rows: async (url: string) => {
      const page = await (await fetch(`${router.url}/metrics`)).text();
      return page.split('\n').filter((row) => row.includes(`server="${url}"`));
    },
  };
}

/** Says what the test tells it to say. */
class SpokenSource implements EndpointSource {
  readonly name = 'test';
  readonly #said: (readonly EndpointChange[])[] = [[]];
  #wake: (() => void) | undefined;

  add({ url }: { readonly url: string }): void {
    this.#say({ kind: 'added', endpoint: { url, models: [] } });
  }

  remove({ url }: { readonly url: string }): void {
    this.#say({ kind: 'removed', url });
  }

  async *changes(signal: AbortSignal) {
    signal.addEventListener('abort', () => this.#wake?.());
    while (!signal.aborted) {
      const next = this.#said.shift();
      if (next !== undefined) yield next;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #say(change: EndpointChange): void {
    this.#said.push([change]);
    this.#wake?.();
  }
}
