// Routers before the same engines that tell each other what they send: on all of them the load of all.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import {
  type RouterOptions,
  type RunningRouter,
  startRouter,
} from '../../src/apps/router/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { type LoadView, parseRouterView, type RouterView } from '../../src/core/views/index.ts';
import { defaultKvEventsConfig } from '../../src/core/vllm-config/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import { freePorts } from '../../src/io/processes/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { startScriptedEngine } from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';

const main = join(import.meta.dirname, '..', '..', 'bin', 'spillway.mjs');
const silent = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });

test('three routers under load count the requests of all, and none at the end', async (t) => {
  const engines = await startPublishingEngines(t, 3);
  const routers = await startRouters(t, 3, { engines });
  const stop = new AbortController();
  const statuses: number[] = [];
  for (let i = 0; i < 45; i++) {
    // Three of five answers are short; the others go on until their clients leave.
    const options = i % 5 < 3 ? { tokens: 30 } : { tokens: 3000, signal: stop.signal };
    const router = routers[i % 3] as RunningRouter;
    void complete(router, prompts[i % 7] as string, options).then((status) =>
      statuses.push(status),
    );
    // Not all at once, so that picks use the updates that arrived.
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await until(() => statuses.length === 27);
  assert.deepEqual(new Set(statuses), new Set([200]));
  let counted: readonly RouterView[] = [];
  await until(async () => {
    counted = await Promise.all(routers.map(viewOf));
    return counted.every((view) => agrees(view, counted));
  });
  for (const { inflight, engines: all } of counted) {
    const loads = all.map(({ load }) => load.inflight);
    assert.equal(inflight, 6);
    assert.equal(sumOf(loads), 18);
    assert.ok(Math.max(...loads) < 12, `spread over the engines: ${loads}`);
    assert.ok(all.every(({ load }) => load.decodeTokens > 0));
  }
  stop.abort();
  await until(async () => (await Promise.all(routers.map(viewOf))).every(isIdle));
  const views = await Promise.all(routers.map(viewOf));
  assert.deepEqual(
    views.map(({ requests }) => requests),
    [15, 15, 15],
  );
  const totals = views.map(({ engines: all }) =>
    sumOf(all.map((engine) => engine.totals.requests)),
  );
  assert.deepEqual(totals, [15, 15, 15], 'totals are of each router alone');
});

test('a router’s requests in flight are counted by all routers, including one that starts later', async (t) => {
  const engine = await startScriptedEngine({ onRequest: () => {} });
  t.after(() => engine.close());
  const ports = await freePorts(2);
  const first = await startPeer(t, [engine.url], ports, 0);
  const stop = new AbortController();
  void complete(first, 'Rhine '.repeat(100), { signal: stop.signal });
  await until(() => engine.received.length === 1);
  const late = await startPeer(t, [engine.url], ports, 1);
  await until(async () => (await viewOf(late)).engines[0]?.load.inflight === 1);
  const [sender, receiver] = [await viewOf(first), await viewOf(late)];
  assert.deepEqual(receiver.engines[0]?.load, sender.engines[0]?.load);
  assert.ok((receiver.engines[0]?.load.prefillTokens ?? 0) > 100);
  assert.deepEqual(
    [sender.inflight, receiver.inflight, receiver.engines[0]?.ownLoad.inflight],
    [1, 0, 0],
  );
  assert.equal(receiver.engines[0]?.totals.requests, 0);
  const page = await (await fetch(`${late.url}/metrics`)).text();
  const server = `{server="${engine.url}"}`;
  assert.ok(page.includes(`spillway_router_inflight_requests${server} 0.0`));
  assert.ok(page.includes(`spillway_router_peer_inflight_requests${server} 1.0`));
  assert.ok(page.includes('spillway_router_peers{state="connected"} 1.0'));
  assert.ok(page.includes('spillway_router_peers{state="self"} 1.0'));
  stop.abort();
  await until(async () => isIdle(await viewOf(late)));
});

test('the attempts of a killed router leave the load counts of the others within 4 s', async (t) => {
  const engine = await startScriptedEngine({ onRequest: () => {} });
  t.after(() => engine.close());
  const ports = await freePorts(2);
  const other = await startPeer(t, [engine.url], ports, 0);
  for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
    const router = await startProcess(t, engine.url, ports[1] as number, ports);
    const url = `http://127.0.0.1:${ports[1]}`;
    for (let i = 0; i < 3; i++) void complete({ url }, `Elbe ${i}`);
    await until(async () => (await viewOf(other)).engines[0]?.load.inflight === 3);
    const exited = once(router, 'exit');
    const killedMs = performance.now();
    router.kill(signal);
    await until(async () => isIdle(await viewOf(other)));
    const tookMs = performance.now() - killedMs;
    assert.ok(tookMs < 4_000, `${signal}: ${tookMs.toFixed(0)} ms`);
    router.kill('SIGKILL');
    await exited;
  }
});

test('on Ctrl-C, a router that shares attempts exits as soon as its last request has ended', async (t) => {
  const engine = await startScriptedEngine({ onRequest: () => {} });
  t.after(() => engine.close());
  const ports = await freePorts(2);
  const other = await startPeer(t, [engine.url], ports, 0);
  const router = await startProcess(t, engine.url, ports[1] as number, ports);
  await until(async () => connectedOf(await viewOf(other)) === 1);
  const stop = new AbortController();
  void complete({ url: `http://127.0.0.1:${ports[1]}` }, 'Oder', { signal: stop.signal });
  await until(async () => (await viewOf(other)).engines[0]?.load.inflight === 1);
  const exited = once(router, 'exit');
  router.kill('SIGINT');
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal((await viewOf(other)).engines[0]?.load.inflight, 1, 'still counted while it drains');
  stop.abort();
  const startMs = performance.now();
  assert.deepEqual(await exited, [0, null]);
  assert.ok(performance.now() - startMs < 2_000);
  await until(async () => (await viewOf(other)).routers?.listeners === 0);
  assert.equal((await viewOf(other)).engines[0]?.load.inflight, 0);
});

test('an engine that only one router lists is ignored, and different spellings of a URL are one engine', async (t) => {
  const scripts = { onRequest: () => {} };
  const [shared, alone] = [await startScriptedEngine(scripts), await startScriptedEngine(scripts)];
  t.after(() => Promise.all([shared.close(), alone.close()]));
  const ports = await freePorts(2);
  const lines: string[] = [];
  const log = { ...silent, warning: (line: string) => lines.push(line) };
  const spelt = shared.url.replace('http://', 'HTTP://');
  const one = await startPeer(t, [`${spelt}//`], ports, 0, { log });
  const two = await startPeer(t, [shared.url, alone.url], ports, 1, {
    policy: 'roundrobin',
  });
  await until(async () => connectedOf(await viewOf(one)) === 1);
  const stop = new AbortController();
  for (let i = 0; i < 4; i++) void complete(two, 'Main', { signal: stop.signal });
  await until(() => shared.received.length === 2 && alone.received.length === 2);
  await until(async () => (await viewOf(one)).engines[0]?.load.inflight === 2);
  assert.deepEqual((await viewOf(one)).routers?.unknownEngines, [alone.url]);
  assert.deepEqual(
    lines.map((line) => /sends to (\S+), which is not an engine of this router/.exec(line)?.[1]),
    [alone.url],
  );
  stop.abort();
  await until(async () => isIdle(await viewOf(one)));
});

test('with an API key, routers need a separate key that clients do not have', async (t) => {
  const engine = await startScriptedEngine({});
  t.after(() => engine.close());
  const ports = await freePorts(3);
  const withKey = (key: string | undefined) => ({ ...peersAt(ports), key });
  await assert.rejects(
    startOver(t, [engine.url], { apiKey: 'client', peers: withKey(undefined) }),
    /SPILLWAY_ROUTER_PEERS_KEY/,
  );
  await assert.rejects(
    startOver(t, [engine.url], { peers: withKey('a\r\nb: c') }),
    /visible ASCII/,
  );
  const [one, two, wrong] = [
    await startOver(t, [engine.url], {
      port: ports[0] as number,
      apiKey: 'client',
      peers: withKey('inner'),
    }),
    await startOver(t, [engine.url], { port: ports[1] as number, peers: withKey('inner') }),
    await startOver(t, [engine.url], { port: ports[2] as number, peers: withKey('other') }),
  ] as const;
  const status = async (key?: string) => {
    const stop = new AbortController();
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const answer = await fetch(`${one.url}/router/attempts`, { headers, signal: stop.signal });
    stop.abort();
    return answer.status;
  };
  assert.deepEqual(
    [await status(), await status('client'), await status('inner')],
    [401, 401, 200],
  );
  await until(async () => connectedOf(await viewOf(two)) === 1);
  const problems = async () => (await viewOf(wrong)).routers?.peers.map(({ problem }) => problem);
  await until(async () => {
    const told = await problems();
    return told?.filter((problem) => problem === 'it has a different key').length === 2;
  });
});

test('without --router-peers there is no such route', async (t) => {
  const engine = await startScriptedEngine({});
  t.after(() => engine.close());
  const router = await startOver(t, [engine.url], {});
  assert.equal((await fetch(`${router.url}/router/attempts`)).status, 404);
  assert.equal((await viewOf(router)).routers, null);
});

test('the stream contains no prompt and no client’s name', async (t) => {
  const engine = await startScriptedEngine({});
  t.after(() => engine.close());
  const router = await startOver(t, [engine.url], { peers: { urls: [] } });
  const socket = connect(router.port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (bytes) => {
    text += bytes;
  });
  socket.write('GET /router/attempts HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(() => text.includes('whole'));
  const head = await fetch(`${router.url}/router/attempts`, { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
  await complete(router, 'my secret is the Havel '.repeat(50));
  await until(() => text.includes('finished'));
  socket.destroy();
  assert.match(text, /"names":"[A-Za-z0-9+/=]{20,}"/);
  assert.doesNotMatch(text, /secret|Havel|tester|Bearer/);
});

const prompts = ['Rhine', 'Danube', 'Elbe', 'Oder', 'Main', 'Spree', 'Havel'].map((name) =>
  `${name} flows to the sea `.repeat(60),
);

function peersAt(ports: readonly number[]) {
  return { urls: ports.map((port) => `http://127.0.0.1:${port}`) };
}

async function startPublishingEngines(t: TestContext, count: number): Promise<string[]> {
  const tokenizer = await loadTokenizer();
  const engines = await Promise.all(
    Array.from({ length: count }, () =>
      createEngineServer({
        ...{ port: 0, model: 'm', tokenizer },
        config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 2000, blockSize: 16 }),
        cost: { stepSeconds: ({ tokens }) => 0.01 + tokens / 20_000 },
        kvEvents: {
          ...defaultKvEventsConfig,
          ...{ enable_kv_cache_events: true, publisher: 'zmq' },
          ...{ endpoint: 'tcp://*:0', replay_endpoint: 'tcp://*:0' },
        },
      }),
    ),
  );
  t.after(() => Promise.all(engines.map((engine) => engine.close())));
  return engines.map(({ url }) => url);
}

async function startRouters(
  t: TestContext,
  count: number,
  { engines }: { readonly engines: readonly string[] },
): Promise<RunningRouter[]> {
  const ports = await freePorts(count);
  const routers = await Promise.all(ports.map((_, index) => startPeer(t, engines, ports, index)));
  await until(async () =>
    (await Promise.all(routers.map(viewOf))).every((view) => connectedOf(view) === count - 1),
  );
  return routers;
}

async function startOver(
  t: TestContext,
  engines: readonly string[],
  options: Partial<RouterOptions>,
): Promise<RunningRouter> {
  const router = await startRouter({
    ...{ port: 0, log: silent, policy: 'predictive', statsIntervalMs: 200 },
    engines: engines.map((url) => ({ url, models: [] })),
    ...options,
  });
  t.after(() => router.close(0));
  await router.probed;
  return router;
}

/** The router at one of the ports, which shares attempts with those at all of them. */
function startPeer(
  t: TestContext,
  engines: readonly string[],
  ports: readonly number[],
  index: number,
  options: Partial<RouterOptions> = {},
): Promise<RunningRouter> {
  return startOver(t, engines, { port: ports[index] as number, peers: peersAt(ports), ...options });
}

/** A router in a process of its own; it shares attempts with those at `ports`. */
async function startProcess(
  t: TestContext,
  engine: string,
  port: number,
  ports: readonly number[],
): Promise<ChildProcess> {
  const flags = ['--port', `${port}`, '--static-backends', engine, '--log-level', 'error'];
  const peers = ['--router-peers', peersAt(ports).urls.join(',')];
  const child = spawn(process.execPath, [main, 'router', ...flags, ...peers], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await until(async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined);
    return answer?.status === 200;
  });
  return child;
}

/** @returns The status; 0 if the answer was cut. */
async function complete(
  router: { readonly url: string },
  prompt: string,
  options: { readonly signal?: AbortSignal; readonly tokens?: number } = {},
): Promise<number> {
  const { signal, tokens = 20 } = options;
  try {
    const answer = await fetch(`${router.url}/v1/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: 'Bearer client',
        'x-user': 'tester',
      },
      body: JSON.stringify({
        model: 'm',
        prompt,
        max_tokens: tokens,
        ignore_eos: true,
        stream: true,
        user: 'tester',
      }),
      ...(signal ? { signal } : {}),
    });
    await answer.text();
    return answer.status;
  } catch {
    return 0;
  }
}

async function viewOf({ url }: { readonly url: string }): Promise<RouterView> {
  const headers = { authorization: 'Bearer client' };
  return parseRouterView(await (await fetch(`${url}/debug/router`, { headers })).text());
}

/** Whether a router counts at each engine, in each stage, what all routers have there by their own count. */
function agrees(view: RouterView, all: readonly RouterView[]): boolean {
  return view.engines.every(({ load }, i) =>
    (Object.keys(load) as (keyof LoadView)[]).every(
      (name) => load[name] === sumOf(all.map(({ engines }) => engines[i]?.ownLoad[name] ?? 0)),
    ),
  );
}

function connectedOf({ routers }: RouterView): number {
  return routers?.peers.filter(({ state }) => state === 'connected').length ?? 0;
}

function isIdle({ engines }: RouterView): boolean {
  return engines.every(({ load }) => Object.values(load).every((count) => count === 0));
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
