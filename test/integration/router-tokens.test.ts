// The router computes the tokens of prompts itself: as the engines do, and without asking them.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import { type RouterOptions, startRouter } from '../../src/apps/router/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { parseEngineViews } from '../../src/core/views/index.ts';
import { defaultKvEventsConfig, type KvEventsConfig } from '../../src/core/vllm-config/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import {
  defaultTokenizerName,
  loadTokenizer,
  tokenizerFolder,
} from '../../src/io/tokenizers/index.ts';
import { holdRoute } from '../support/held-route.ts';
import { until } from '../support/until.ts';

const tokenizer = await loadTokenizer();
const river = (name: string, words = 100) => `${name} flows to the sea `.repeat(words);
const user = (content: unknown) => ({ role: 'user', content });
const weather = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'the weather <of> a "place"',
    parameters: { type: 'object', properties: { place: { type: 'string' } } },
  },
};

test('each prompt has the tokens that the engine counts, whatever its API and length', async (t) => {
  const router = await startOver(t, await startEngines(t, 2));
  const system = { role: 'system', content: 'Be brief.' };
  const called = {
    role: 'assistant',
    content: null,
    tool_calls: [
      { id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"place":"Ulm"}' } },
    ],
  };
  const result = { role: 'tool', tool_call_id: 'c1', content: 'rain' };
  const requests: readonly (readonly [string, object])[] = [
    ['/v1/chat/completions', { messages: [user('Hi')] }],
    ['/v1/chat/completions', { messages: [system, user(river('Elbe'))] }],
    ['/v1/chat/completions', { messages: [system, user(river('Elbe', 1000))] }],
    ['/v1/chat/completions', { messages: [user('Hi'), called, result], tools: [weather] }],
    [
      '/v1/chat/completions',
      {
        messages: [
          user([
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ]),
        ],
      },
    ],
    ['/v1/chat/completions', { messages: [user('Hi')], reasoning_effort: 'none' }],
    ['/v1/completions', { prompt: river('Oder') }],
    ['/v1/completions', { prompt: river('Oder', 1000) }],
    ['/v1/completions', { prompt: tokenizer.encode(river('Oder')) }],
    ['/v1/completions', { prompt: [river('Oder')] }],
    ['/v1/messages', { system: 'Be brief.', messages: [user('Hi')] }],
    ['/v1/responses', { instructions: 'Be brief.', input: river('Main'), max_output_tokens: 2 }],
  ];
  for (const [path, body] of requests) {
    const { promptTokens } = await router.ask(path, body);
    assert.equal(
      (await router.lastPick()).promptTokens,
      promptTokens,
      JSON.stringify(body).slice(0, 200),
    );
  }
  assert.equal(await router.metric('spillway_router_tokenized_prompts_total{by="router"}'), 12);
  assert.equal(await router.metric('spillway_router_untokenized_prompts_total'), undefined);
});

test('prompts that cannot be tokenized are routed by their bytes, with the reason in a metric', async (t) => {
  const router = await startOver(t, await startEngines(t, 2));
  const untokenized = (reason: string) =>
    router.metric(`spillway_router_untokenized_prompts_total{reason="${reason}"}`);
  const image = { type: 'image_url', image_url: { url: 'http://127.0.0.1/x.png' } };
  assert.equal(
    (await router.send('/v1/chat/completions', { messages: [user([image])] })).status,
    400,
  );
  assert.equal(await untokenized('multimodal'), 1);
  const several = { prompt: [river('Rhine'), river('Rhine')] };
  const { engine } = await router.ask('/v1/completions', several);
  assert.equal((await router.ask('/v1/completions', several)).engine, engine);
  assert.equal(await untokenized('several'), 2);
});

for (const policy of ['predictive', 'kvaware']) {
  test(`${policy} without a tokenizer returns to the engine that had the prompt, and asks no engine`, async (t) => {
    const engines = await startEngines(t, 4);
    const held = await Promise.all(engines.map(({ url }) => holdRoute(t, url, '/tokenize')));
    const tokenizers = { standard: 'none' };
    const router = await startOver(t, withUrls(engines, held), { policy, tokenizers });
    for (const name of ['Rhine', 'Danube', 'Elbe', 'Oder', 'Weser', 'Main']) {
      const first = await router.ask('/v1/completions', { prompt: river(name) });
      const again = await router.ask('/v1/completions', { prompt: `${river(name)} where?` });
      assert.equal(again.engine, first.engine, name);
      assert.ok((await router.lastPick()).cachedTokens > 300);
    }
    const off = 'spillway_router_untokenized_prompts_total{reason="off"}';
    assert.equal(await router.metric(off), 12);
    assert.deepEqual(
      held.map(({ held }) => held()),
      [0, 0, 0, 0],
    );
  });

  test(`${policy} picks and predicts with its own tokens as with those of an engine`, async (t) => {
    const engines = await startEngines(t, 3);
    const own = await startOver(t, engines, { policy });
    const asking = await startOver(t, engines, {
      ...{ policy, tokenizers: { standard: 'none' }, engineTokenizeTimeoutMs: 10_000 },
    });
    for (const name of ['Rhine', 'Danube', 'Elbe', 'Oder']) {
      const messages = [user(river(name))];
      await own.hears(asking, () => own.ask('/v1/chat/completions', { messages }));
      const longer = [...messages, { role: 'assistant', content: 'yes' }, user('where?')];
      const picks = [];
      for (const router of [own, asking]) {
        await router.ask('/v1/chat/completions', { messages: longer });
        picks.push(await router.lastPick());
        // What the first question added does not help the second.
        longer[0] = user(`${river(name)}`);
      }
      const [first, second] = picks;
      assert.equal(first?.url, second?.url);
      assert.equal(first?.promptTokens, second?.promptTokens);
      assert.ok((first?.cachedTokens ?? 0) > 300, JSON.stringify(first));
    }
    assert.ok(
      ((await asking.metric('spillway_router_tokenized_prompts_total{by="engine"}')) ?? 0) > 3,
    );
  });
}

test('one engine whose /tokenize hangs delays no prompt, as none is asked', async (t) => {
  const engines = await startEngines(t, 4);
  const stuck = await holdRoute(t, engines[0]?.url ?? '', '/tokenize');
  const router = await startOver(t, withUrls(engines, [stuck]));
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) => router.ask('/v1/completions', { prompt: river(`${i}`) })),
  );
  assert.equal(answers.length, 40);
  assert.equal(stuck.held(), 0);
});

test('if engines may be asked, one that hangs holds at most one prompt, and not for long', async (t) => {
  const engines = await startEngines(t, 4);
  const stuck = await holdRoute(t, engines[0]?.url ?? '', '/tokenize');
  const router = await startOver(t, withUrls(engines, [stuck]), {
    ...{ tokenizers: { standard: 'none' }, engineTokenizeTimeoutMs: 100 },
  });
  for (let i = 0; i < 30; i++) await router.ask('/v1/completions', { prompt: river(`${i}`) });
  assert.equal(stuck.held(), 1);
  const off = 'spillway_router_untokenized_prompts_total{reason="off"}';
  assert.equal(await router.metric(off), 1);
  const byEngine = 'spillway_router_tokenized_prompts_total{by="engine"}';
  assert.equal(await router.metric(byEngine), 29);
});

test('an engine that serves no tokenizer is named once in the log, with what to do', async (t) => {
  const lines: string[] = [];
  const engines = await startEngines(t, 2, { tokenizerFolder: undefined });
  const router = await startOver(t, engines, {
    log: { ...log, warning: (line) => lines.push(line) },
    isReady: false,
  });
  const unavailable = 'spillway_router_untokenized_prompts_total{reason="unavailable"}';
  await until(() => lines.length > 0);
  await router.ask('/v1/completions', { prompt: 'Hi' });
  assert.equal(await router.metric(unavailable), 1);
  assert.equal(await router.metric('spillway_router_tokenizer_ready{model="tiny"}'), 0);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /model tiny: no tokenizer: GET .* returned 404.*--tokenizer names/);
});

test('a tokenizer is taken from where the user says, for one model or for all', async (t) => {
  const engines = await startEngines(t, 2, { tokenizerFolder: undefined });
  for (const tokenizers of [
    { standard: tokenizerFolder() },
    { standard: 'none', byModel: new Map([['tiny', defaultTokenizerName]]) },
  ]) {
    const router = await startOver(t, engines, { tokenizers });
    const { promptTokens } = await router.ask('/v1/completions', { prompt: river('Spree') });
    assert.equal((await router.lastPick()).promptTokens, promptTokens);
  }
});

const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });

interface StartedEngine {
  readonly url: string;
  readonly events: KvEventsConfig;
}

async function startEngines(
  t: TestContext,
  count: number,
  { tokenizerFolder: folder }: { readonly tokenizerFolder?: string | undefined } = {
    tokenizerFolder: tokenizerFolder(),
  },
): Promise<StartedEngine[]> {
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const server = await createEngineServer({
        ...{ port: 0, model: 'tiny', tokenizer, faults: {} },
        ...{ enableAutoToolChoice: true, toolCallParser: 'hermes' },
        ...(folder !== undefined && { tokenizerFolder: folder }),
        config: defaultEngineConfig({ maxModelLen: 16_384, numGpuBlocks: 4000, blockSize: 16 }),
        cost: { stepSeconds: ({ tokens }) => 0.001 + tokens / 200_000 },
        kvEvents: {
          ...defaultKvEventsConfig,
          ...{ enable_kv_cache_events: true, publisher: 'zmq' },
          ...{ endpoint: 'tcp://*:0', replay_endpoint: 'tcp://*:0' },
        },
      });
      t.after(() => server.close());
      const answer = await fetch(`${server.url}/kv_event_sources`);
      const { 0: events } = (await answer.json()) as { 0: KvEventsConfig };
      return { url: server.url, events };
    }),
  );
}

/** The first engines at other URLs. */
function withUrls(engines: readonly StartedEngine[], urls: readonly { readonly url: string }[]) {
  return engines.map((engine, i) => ({ ...engine, url: urls[i]?.url ?? engine.url }));
}

test('tenants share no cache: neither in engines, nor in what the router counts on', async (t) => {
  const router = await startOver(t, await startEngines(t, 2), {
    cacheSaltFrom: { header: 'x-team' },
  });
  const ask = async (team: string, path: string, body: object) => {
    const before = await router.blocks();
    await router.ask(path, body, { 'x-team': team });
    const { cachedTokens } = await router.lastPick();
    const isNew = (await router.blocks()) > before || cachedTokens === 0;
    if (isNew) await until(async () => (await router.blocks()) > before);
    return cachedTokens;
  };
  for (const [path, body] of [
    ['/v1/completions', { prompt: river('Oder') }],
    ['/v1/chat/completions', { messages: [user(river('Elbe', 60_000 / 22))], max_tokens: 1 }],
    ['/v1/completions', { prompt: river('Weser'), cache_salt: 'own' }],
  ] as const) {
    assert.equal(await ask('a', path, body), 0, `${path}: new`);
    assert.ok((await ask('a', path, body)) > 100, `${path}: the same tenant again`);
    assert.equal(await ask('b', path, body), 0, `${path}: another tenant`);
    assert.ok((await ask('b', path, body)) > 100, `${path}: that one again`);
  }
});

async function startOver(
  t: TestContext,
  engines: readonly StartedEngine[],
  { isReady = true, ...options }: Partial<RouterOptions> & { readonly isReady?: boolean } = {},
) {
  const router = await startRouter({
    ...{ port: 0, log, policy: 'predictive', tickMs: 20, tokenizeTimeoutMs: 60_000 },
    engines: engines.map(({ url }) => ({ url, models: [] })),
    kvEventSources: new Map(
      engines.map(({ url, events: { endpoint, replay_endpoint: replay } }) => [
        url,
        { endpoint: endpoint.replace('*', '127.0.0.1'), replayEndpoint: local(replay) },
      ]),
    ),
    ...options,
  });
  t.after(() => router.close(0));
  await router.probed;
  const views = async () => parseEngineViews(await (await fetch(`${router.url}/engines`)).text());
  const metric = async (series: string): Promise<number | undefined> => {
    const page = await (await fetch(`${router.url}/metrics`)).text();
    const line = page.split('\n').find((one) => one.startsWith(series) && !one.startsWith('#'));
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ')));
  };
  await until(async () =>
    (await views()).every(({ kvEvents }) => kvEvents?.coverage === 'complete'),
  );
  const { standard, byModel } = options.tokenizers ?? {};
  if (isReady && (standard !== 'none' || byModel !== undefined)) {
    await until(async () => (await metric('spillway_router_tokenizer_ready{model="tiny"}')) === 1);
  }
  const send = (path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(`${router.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ model: 'tiny', max_tokens: 2, ...body }),
    });
  const blocks = async () =>
    (await views()).reduce((sum, { kvEvents }) => sum + (kvEvents?.blocks ?? 0), 0);
  return {
    metric,
    send,
    async ask(path: string, body: object, headers: Record<string, string> = {}) {
      const answer = await send(path, body, headers);
      const text = await answer.text();
      assert.equal(answer.status, 200, text);
      const { usage } = JSON.parse(text) as { usage: Record<string, number | undefined> };
      const { input_tokens: input = 0, cache_read_input_tokens: read = 0 } = usage;
      const { cache_creation_input_tokens: created = 0, prompt_tokens: count } = usage;
      const promptTokens = count ?? input + read + created;
      return { promptTokens, engine: answer.headers.get('x-spillway-engine') };
    },
    async lastPick() {
      const picks = (await (await fetch(`${router.url}/debug/picks`)).json()) as {
        url: string;
        promptTokens: number;
        cachedTokens: number;
      }[];
      return picks.at(-1) as (typeof picks)[0];
    },
    blocks,
    /** Places a prompt, and waits until another router has received its events too. */
    async hears(other: { blocks(): Promise<number> }, place: () => Promise<unknown>) {
      const before = await other.blocks();
      await place();
      await until(async () => (await other.blocks()) > before);
      await until(async () => (await other.blocks()) === (await blocks()));
    },
  };
}

function local(endpoint: string | null): string | undefined {
  return endpoint?.replace('*', '127.0.0.1');
}
