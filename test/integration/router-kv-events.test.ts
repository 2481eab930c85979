// Routers of which each sees a part of the traffic, over engines that tell all of them by KV events
// what they hold; and what is left of that when the events stop.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createEngineServer, type EngineServer } from '../../src/apps/engine/index.ts';
import { startRouter } from '../../src/apps/router/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { parseEngineViews } from '../../src/core/views/index.ts';
import { defaultKvEventsConfig, type KvEventsConfig } from '../../src/core/vllm-config/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import { loadTokenizer, tokenizerFolder } from '../../src/io/tokenizers/index.ts';
import { cuttableLine } from '../support/cuttable-line.ts';

const tokenizer = await loadTokenizer();
const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });
/** 500 words of this are more than 500 tokens. */
const prompt = (name: string) => `${name} flows to the sea `.repeat(100);

test('a router finds prefixes that another router placed, chats included', async (t) => {
  const engines = await startEngines(t, 3);
  const [first, second] = [await startOver(t, engines), await startOver(t, engines)];
  for (const name of ['Rhine', 'Danube', 'Elbe', 'Oder']) {
    const placed = await second.hears(() => first.complete(prompt(name)));
    assert.equal(placed.cachedTokens, 0);
    const found = await second.complete(`${prompt(name)} where?`);
    assert.equal(found.engine, placed.engine);
    assert.ok(found.cachedTokens > 400, `${found.cachedTokens} tokens`);
  }
  const placed = await second.hears(() => first.chat(prompt('Weser')));
  const found = await second.chat(prompt('Weser'));
  assert.equal(found.engine, placed.engine);
  assert.ok(found.cachedTokens > 400, `${found.cachedTokens} tokens`);
});

test('without KV events a router assumes its own prompts to be cached, and a replay adds the rest', async (t) => {
  const engines = await startEngines(t, 2);
  const lines = await Promise.all(engines.map(({ events }) => cuttableLine(events.endpoint)));
  t.after(() => Promise.all(lines.map((line) => line.close())));
  const other = await startOver(t, engines);
  const sources = engines.map(({ server, events }, i): [string, Source] => [
    server.url,
    { endpoint: lines[i]?.endpoint ?? '', replayEndpoint: events.replay_endpoint ?? undefined },
  ]);
  const router = await startOver(t, engines, { kvEventSources: new Map(sources) });
  const own = await router.hears(() => router.complete(prompt('Main')));
  const placed = await router.hears(() => other.complete(prompt('Neckar')));
  assert.equal((await router.complete(prompt('Neckar'))).engine, placed.engine);

  for (const line of lines) line.cut();
  await router.knows('none');
  const again = await router.complete(prompt('Main'));
  assert.equal(again.engine, own.engine);
  assert.ok(again.cachedTokens > 400, `${again.cachedTokens} tokens`);
  await other.complete(prompt('Mosel'));
  assert.equal((await router.predicts(prompt('Mosel'))).cachedTokens, 0);

  const elsewhere = await other.complete(prompt('Lahn'));
  for (const line of lines) line.mend();
  await router.knows('complete');
  const found = await router.complete(prompt('Lahn'));
  assert.equal(found.engine, elsewhere.engine);
  assert.ok(found.cachedTokens > 400, `${found.cachedTokens} tokens`);
});

test('a router that starts late learns the engines’ cache contents from the replay', async (t) => {
  const engines = await startEngines(t, 2);
  const placed = await (await startOver(t, engines)).complete(prompt('Spree'));
  const found = await (await startOver(t, engines)).complete(prompt('Spree'));
  assert.equal(found.engine, placed.engine);
  assert.ok(found.cachedTokens > 400, `${found.cachedTokens} tokens`);
});

test('a reset of the cache empties the index', async (t) => {
  const engines = await startEngines(t, 2);
  const router = await startOver(t, engines);
  await router.complete(prompt('Havel'));
  for (const { server } of engines) {
    assert.equal((await fetch(`${server.url}/reset_prefix_cache`, { method: 'POST' })).status, 200);
    // vLLM announces a reset with the next step.
    await completion(server.url, 'next');
  }
  await until(async () => (await router.predicts(prompt('Havel'))).cachedTokens === 0);
});

test('with --no-kv-events, no engine is asked for events', async (t) => {
  const engines = await startEngines(t, 2);
  const first = await startOver(t, engines);
  const second = await startOver(t, engines, { kvEvents: false });
  await first.complete(prompt('Ruhr'));
  assert.equal((await second.predicts(prompt('Ruhr'))).cachedTokens, 0);
  assert.deepEqual(
    (await second.views()).map(({ kvEvents }) => kvEvents),
    [null, null],
  );
});

interface Source {
  readonly endpoint: string;
  readonly replayEndpoint: string | undefined;
}

interface StartedEngine {
  readonly server: EngineServer;
  readonly events: KvEventsConfig;
}

async function startEngines(t: TestContext, count: number): Promise<StartedEngine[]> {
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const server = await createEngineServer({
        ...{ port: 0, model: 'tiny', tokenizer, faults: {}, devMode: true },
        tokenizerFolder: tokenizerFolder(),
        config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 2000, blockSize: 16 }),
        cost: { stepSeconds: ({ tokens }) => 0.001 + tokens / 20_000 },
        kvEvents: {
          ...defaultKvEventsConfig,
          ...{ enable_kv_cache_events: true, publisher: 'zmq' },
          ...{ endpoint: 'tcp://*:0', replay_endpoint: 'tcp://*:0' },
        },
      });
      t.after(() => server.close());
      const answer = await fetch(`${server.url}/kv_event_sources`);
      const { 0: events } = (await answer.json()) as { 0: KvEventsConfig };
      return { server, events };
    }),
  );
}

async function startOver(
  t: TestContext,
  engines: readonly StartedEngine[],
  options: { kvEvents?: boolean; kvEventSources?: ReadonlyMap<string, Source> } = {},
) {
  const router = await startRouter({
    ...{ port: 0, log, policy: 'predictive' },
    engines: engines.map(({ server }) => ({ url: server.url, models: [] })),
    ...options,
  });
  t.after(() => router.close(0));
  await router.probed;
  const views = async () => parseEngineViews(await (await fetch(`${router.url}/engines`)).text());
  const knows = (coverage: string) =>
    until(async () => (await views()).every(({ kvEvents }) => kvEvents?.coverage === coverage));
  const blocks = async () =>
    (await views()).reduce((sum, { kvEvents }) => sum + (kvEvents?.blocks ?? 0), 0);
  /** Waits for the events of what is placed: they are still on their way when its answer is there. */
  const hears = async <T>(place: () => Promise<T>): Promise<T> => {
    const before = await blocks();
    const placed = await place();
    await until(async () => (await blocks()) > before);
    return placed;
  };
  if (options.kvEvents !== false) {
    await knows('complete');
    const ready = 'spillway_router_tokenizer_ready{model="tiny"} 1';
    await until(async () => (await (await fetch(`${router.url}/metrics`)).text()).includes(ready));
  }
  /** The last pick, with the tokens that it expected to be cached. */
  const lastPick = async () => {
    const picks = (await (await fetch(`${router.url}/debug/picks`)).json()) as {
      url: string;
      cachedTokens: number;
    }[];
    const { url, cachedTokens } = picks.at(-1) as (typeof picks)[0];
    return { engine: url, cachedTokens };
  };
  const complete = async (text: string) => {
    await completion(router.url, text);
    return lastPick();
  };
  const chat = async (content: string) => {
    await ask(`${router.url}/v1/chat/completions`, { messages: [{ role: 'user', content }] });
    return lastPick();
  };
  /** As `complete`; the question is changed at its end, so that it is one of its own each time. */
  const predicts = async (text: string) => complete(`${text} ${Math.random()}`);
  return { router, views, knows, hears, complete, chat, predicts };
}

function completion(url: string, text: string): Promise<void> {
  return ask(`${url}/v1/completions`, { prompt: text });
}

async function ask(url: string, body: object): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'tiny', max_tokens: 2, stream: true, ...body }),
  });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, 'what the test waits for did not happen in 20 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
