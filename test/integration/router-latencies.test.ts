// What a router measures and shows of its requests: latencies, statuses, names, and the history.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type EngineView,
  parseEngineViews,
  parseHistoryView,
  parsePickViews,
  parseRequestViews,
  parseRouterView,
} from '../../src/core/views/index.ts';
import { eventually, startFleet } from '../support/fleet.ts';
import { post, stack } from '../support/router-stack.ts';
import { chunk, eventStreamHead, respond, type Script } from '../support/scripted-engine.ts';

const hello = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] };
const streamed = { ...hello, stream: true };
const gapMs = 40;

/** Streams `tokens` chunks with a pause before each, and the next one only when the client has the last. */
function streamer(tokens: number) {
  let onReceived = () => {};
  const script: Script = {
    onRequest: async ({ socket }) => {
      for (let i = 0; i < tokens; i++) {
        await pause(gapMs);
        const received = new Promise<void>((resolve) => {
          onReceived = resolve;
        });
        socket.write((i === 0 ? eventStreamHead : '') + chunk('data: {"choices":[]}\n\n'));
        await received;
      }
      socket.write(chunk('data: [DONE]\n\n') + chunk(''));
    },
  };
  return {
    script,
    /** Reads a response to its end. */
    async drain(response: Response): Promise<void> {
      for await (const _ of response.body ?? []) onReceived();
    },
  };
}

async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text();
}

/** The sum and count of a histogram's only series with these labels. */
function histogram(page: string, name: string): { readonly sum: number; readonly count: number } {
  const value = (part: string) =>
    Number(new RegExp(`^${name}_${part}\\{[^}]*\\} (.*)$`, 'm').exec(page)?.[1]);
  return { sum: value('sum'), count: value('count') };
}

test('TTFT, gaps and TPOT of a stream are measured, and its tokens counted by chunks', async (t) => {
  const { script, drain } = streamer(5);
  const { router, engines } = await stack(t, [script]);
  await drain(await post(router, streamed));
  const page = await textOf(`${router.url}/metrics`);
  const ttft = histogram(page, 'spillway_router_time_to_first_token_seconds');
  assert.equal(ttft.count, 1);
  assert.ok(ttft.sum >= 0.95 * (gapMs / 1000), `TTFT ${ttft.sum}`);
  const gaps = histogram(page, 'spillway_router_inter_token_latency_seconds');
  assert.equal(gaps.count, 4);
  assert.ok(gaps.sum >= 0.95 * 4 * (gapMs / 1000), `gaps of ${gaps.sum} s`);
  assert.match(page, new RegExp(`vllm:avg_itl\\{server="${engines[0]?.url}"\\} 0\\.\\d+`));
  const view = parseRouterView(await textOf(`${router.url}/debug/router`));
  const { all, models } = view.latencies;
  for (const latencies of [all, models[0], view.engines[0]?.latencies]) {
    assert.equal(latencies?.ttft?.count, 1);
    assert.equal(latencies?.e2e?.count, 1);
    const tpotMs = (latencies?.tpot?.p50 ?? 0) * 1000;
    assert.ok(tpotMs > 0.85 * gapMs, `TPOT ${tpotMs} ms`);
  }
  assert.deepEqual(
    models.map(({ model }) => model),
    ['m'],
  );
});

test('a response that is not streamed has an end-to-end latency only; embeddings have none', async (t) => {
  const { router } = await stack(t, [{}]);
  await (await post(router, hello)).text();
  await fetch(`${router.url}/v1/embeddings`, { method: 'POST', body: '{"model":"m"}' });
  const { all } = parseRouterView(await textOf(`${router.url}/debug/router`)).latencies;
  assert.deepEqual([all.ttft, all.tpot, all.e2e?.count], [null, null, 1]);
});

test('statuses of the router and of engines are counted as 4xx and 5xx', async (t) => {
  const statuses = [400, 500, 200];
  const { router } = await stack(t, [
    { onRequest: ({ socket }) => respond(socket, statuses.shift() ?? 200, '{}') },
  ]);
  for (let i = 0; i < 3; i++) await (await post(router, hello)).text();
  await (await post(router, { model: 'unknown' })).text();
  const view = parseRouterView(await textOf(`${router.url}/debug/router`));
  assert.deepEqual([view.clientErrors, view.serverErrors, view.requests], [2, 1, 4]);
  const { clientErrors, serverErrors } = view.engines[0]?.totals ?? {};
  assert.deepEqual([clientErrors, serverErrors], [1, 1]);
});

test('ended requests are listed with their engine, status and latencies', async (t) => {
  const { script, drain } = streamer(1);
  const { router } = await stack(t, [script]);
  await drain(await post(router, streamed, { headers: { 'x-request-id': 'one' } }));
  await (await post(router, { model: 'unknown' }, { headers: { 'x-request-id': 'two' } })).text();
  const [one, two] = parseRequestViews(await textOf(`${router.url}/debug/requests`));
  assert.ok(one?.requestId === 'one' && one.outcome === 'completed' && one.status === 200);
  assert.ok((one.ttftSeconds ?? 0) > 0 && one.seconds >= (one.ttftSeconds ?? 0));
  assert.ok(two?.requestId === 'two' && two.outcome === 'failed' && two.status === 404);
  assert.deepEqual([two.url, two.engine, two.ttftSeconds], [null, null, null]);
});

test('an engine has one name in headers, views, metrics and picks; its address by default', async (t) => {
  const { router, engines } = await stack(t, [{}]);
  const [engine] = engines;
  const address = engine?.url.slice('http://'.length);
  const response = await post(router, hello);
  assert.equal(response.headers.get('x-spillway-engine'), engine?.url);
  assert.equal(response.headers.get('x-spillway-engine-name'), address);
  const named = await stack(t, [], {
    engines: [{ url: engine?.url ?? '', models: [], name: 'qwen3-8b-1' }],
  });
  const again = await post(named.router, hello);
  assert.equal(again.headers.get('x-spillway-engine-name'), 'qwen3-8b-1');
  const [view] = parseEngineViews(await textOf(`${named.router.url}/engines`));
  assert.deepEqual([view?.name, view?.url], ['qwen3-8b-1', engine?.url]);
  const [pick] = parsePickViews(await textOf(`${named.router.url}/debug/picks`));
  assert.equal(pick?.engine, 'qwen3-8b-1');
  assert.match(
    await textOf(`${named.router.url}/metrics`),
    /spillway_router_engine_info\{emulated="false",engine="qwen3-8b-1",server="http:[^"]+"\} 1\.0/,
  );
});

test('emulated engines are shown as such', async (t) => {
  const fleet = await startFleet(t, { engines: 1, policy: 'roundrobin', model: 'm' });
  const base = fleet.url.replace(/\/v1$/, '');
  const [engine] = parseEngineViews(await textOf(`${base}/engines`));
  assert.equal(engine?.emulated, true);
  const response = await fetch(`${fleet.url}/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ ...hello, max_tokens: 2 }),
    headers: { 'content-type': 'application/json' },
  });
  assert.equal(response.headers.get('x-spillway-emulated'), 'true');
});

test('a dead engine says why and since when, and its last report is in no gauge', async (t) => {
  const metrics = () => 'vllm:num_requests_running{engine="0"} 7.0\n';
  const { router, engines } = await stack(t, [{ metrics }, {}], { statsIntervalMs: 20 });
  const view = async (): Promise<EngineView | undefined> =>
    parseEngineViews(await textOf(`${router.url}/engines`))[0];
  await eventually(async () => (await view())?.reported?.running === 7, 'the report arrived');
  await engines[0]?.close();
  await (await post(router, hello)).text();
  await (await post(router, hello)).text();
  await eventually(async () => (await view())?.state === 'dead', 'the engine is dead');
  const dead = await view();
  assert.match(dead?.reason ?? '', /ECONNREFUSED|closed/);
  assert.ok((dead?.stateSeconds ?? -1) >= 0);
  assert.equal(dead?.rates, null);
  const line = `vllm:num_requests_running{server="${engines[0]?.url}"} 0.0`;
  assert.ok((await textOf(`${router.url}/metrics`)).includes(line));
});

test('the history is served without a page, for the engines that the request names', async (t) => {
  const { router, engines } = await stack(t, [{}]);
  const query = `engine=${encodeURIComponent(engines[0]?.url ?? '')}&engine=http://unknown`;
  const history = parseHistoryView(await textOf(`${router.url}/dashboard/history?${query}`));
  assert.equal(history.intervalSeconds, 5);
  assert.equal(history.atSeconds.length, history.fleet.ttftP99.length);
});
