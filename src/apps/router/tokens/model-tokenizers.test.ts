// Which models get a tokenizer, when it is looked for, and what is said of it. The thread is a real one.
import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { MetricsRegistry } from '../../../core/metrics/index.ts';
import { createPolicy, RoutingCore } from '../../../core/routing/index.ts';
import type { Ticker } from '../../../io/http/index.ts';
import { createLogger } from '../../../io/log/index.ts';
import { tokenizerFolder } from '../../../io/tokenizers/index.ts';
import type { Engine } from '../fleet/engine.ts';
import type { TokenizerSources } from './model-searches.ts';
import { declareTokenizerGauge, ModelTokenizers } from './model-tokenizers.ts';

const url = 'http://engine';

/** The tokenizers of a router whose one engine serves these models. */
function begin(
  context: TestContext,
  options: { readonly models?: readonly string[]; readonly sources?: TokenizerSources } = {},
) {
  const { models = ['m'], sources = { standard: tokenizerFolder() } } = options;
  const real = performance.now.bind(performance);
  const state = { nowMs: 50_000 };
  context.mock.method(performance, 'now', () => state.nowMs);
  const policy = Object.assign(createPolicy('roundrobin', { random: { next: () => 0 } }), {
    needsTokens: true,
  });
  const core = new RoutingCore({ policy, clock: { nowSeconds: () => 100 } });
  core.addEndpoint({ url, models });
  const members = new Set<unknown>();
  const ticker = {
    add: (member: unknown) => members.add(member),
    remove: (member: unknown) => members.delete(member),
    ticks: (ms: number) => ms / 100,
  };
  const stream = new PassThrough();
  const log = createLogger({ stream, level: 'info', format: 'text' });
  const engine = { url, live: true, isEmulated: false, models: [] } as unknown as Engine;
  const registry = new MetricsRegistry();
  const tokenizers = new ModelTokenizers({
    ...{ core, ticker: ticker as unknown as Ticker, sources, log },
    engines: new Map([[url, engine]]),
    ...{ authorization: undefined, tokenizeTimeoutMs: 60_000 },
  });
  declareTokenizerGauge(registry, tokenizers);
  context.after(() => tokenizers.close());
  return {
    ...{ state, core, policy, members, tokenizers },
    serve: (...served: readonly string[]) => core.addEndpoint({ url, models: served }),
    /** What there is of a model: a reason, or `ready`. */
    of: (model = 'm') => {
      const found = tokenizers.of(model);
      return typeof found === 'string' ? found : 'ready';
    },
    gauge: (model = 'm') => {
      const series = `spillway_router_tokenizer_ready{model="${model}"} `;
      const line = registry
        .render()
        .split('\n')
        .find((one) => one.startsWith(series));
      return line && Number(line.slice(series.length));
    },
    logged: () => {
      log.flush();
      return String(stream.read() ?? '');
    },
    /** Waits in real time, while the mocked clock stands still. */
    settles: async (holds: () => boolean) => {
      const deadline = real() + 60_000;
      while (!holds()) {
        assert.ok(real() < deadline, `${holds}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-test-'));
  context.after(() => rm(folder, { recursive: true }));
  return folder;
}

test('the tokenizer of a served model is loaded once, for all models that share it, in both threads', async (t) => {
  const { tokenizers, of, gauge, logged, settles } = begin(t, { models: ['m', 'n'] });
  assert.deepEqual([of(), gauge()], ['loading', undefined], 'nobody has looked yet');
  tokenizers.look();
  assert.deepEqual([of(), gauge()], ['loading', 0]);
  await settles(() => of() === 'ready');
  assert.deepEqual(
    [...tokenizers.states()],
    [
      ['m', true],
      ['n', true],
    ],
  );
  assert.deepEqual([gauge('m'), gauge('n')], [1, 1]);
  const lines = logged()
    .split('\n')
    .filter((line) => line !== '');
  assert.equal(lines.length, 2);
  assert.match(
    lines[0] ?? '',
    /INFO: model m: prompts are tokenized here, with the tokenizer of \S/,
  );
  assert.match(lines[1] ?? '', /INFO: model n: prompts are tokenized here/);
  const { name, prompts, thread } = tokenizers.of('m') as Exclude<
    ReturnType<typeof tokenizers.of>,
    string
  >;
  const body = { prompt: 'Hello, hello.' };
  const tokensOf = (result: unknown) => [...(result as { tokens: Uint32Array }).tokens];
  const own = tokensOf(prompts.tokenize('completions', body));
  assert.ok(own.length > 0);
  assert.deepEqual(
    tokensOf(await thread.tokenize(name, 'completions', Buffer.from(JSON.stringify(body)))),
    own,
  );
  tokenizers.look();
  assert.deepEqual([of(), logged()], ['ready', ''], 'told once, loaded once');
});

test('a model whose tokenizer is turned off has none, and is not looked for', (t) => {
  const sources = { standard: 'none', byModel: new Map([['n', '/nowhere']]) };
  const { of, tokenizers } = begin(t, { models: ['m', 'n'], sources });
  tokenizers.look();
  assert.deepEqual([of('m'), of('n')], ['off', 'loading']);
  assert.deepEqual([...tokenizers.states()], [['n', false]]);
});

test('the models are looked at once a second, while the policy needs tokens', (t) => {
  const { tokenizers, policy, members } = begin(t);
  assert.ok(members.has(tokenizers));
  const look = t.mock.method(tokenizers, 'look', () => {});
  const ticks = (...ticks: readonly number[]) => {
    for (const tick of ticks) tokenizers.onTick(tick);
    return look.mock.callCount();
  };
  assert.equal(ticks(0), 1);
  assert.equal(ticks(1, 9), 1);
  assert.equal(ticks(10), 2);
  policy.needsTokens = false;
  assert.equal(ticks(20, 30), 2);
  policy.needsTokens = true;
  assert.equal(ticks(31), 3);
  tokenizers.stop();
  assert.ok(!members.has(tokenizers));
});

test('a tokenizer that is not found is looked for again: after 5 s, then after twice the time, up to 5 minutes', async (t) => {
  const folder = join(await temporaryFolder(t), 'tokenizer');
  const { of, tokenizers, state, logged, gauge, settles } = begin(t, {
    sources: { standard: folder },
  });
  tokenizers.look();
  const seconds = [5, 10, 20, 40, 80, 160, 300, 300];
  for (const pause of seconds) {
    await settles(() => of() === 'unavailable');
    state.nowMs += pause * 1_000 - 1;
    tokenizers.look();
    assert.equal(of(), 'unavailable', `within ${pause} s`);
    state.nowMs += 1;
    tokenizers.look();
    assert.equal(of(), 'loading', `after ${pause} s`);
  }
  await settles(() => of() === 'unavailable');
  assert.equal(gauge(), 0);
  const lines = logged()
    .split('\n')
    .filter((line) => line !== '');
  assert.equal(lines.length, 1, 'told once');
  assert.match(
    lines[0] ?? '',
    /WARNING: model m: no tokenizer: \S.*\. Its prompts are compared by their bytes.*--tokenizer names/,
  );
  await cp(tokenizerFolder(), folder, { recursive: true });
  state.nowMs += 300_000;
  tokenizers.look();
  await settles(() => of() === 'ready');
  assert.match(logged(), /INFO: model m: prompts are tokenized here/);
});

test('a model that is no longer served loses its tokenizer, and is told of anew when it returns', async (t) => {
  const { serve, of, tokenizers, gauge, logged, settles } = begin(t);
  tokenizers.look();
  await settles(() => of() === 'ready');
  const found = tokenizers.of('m');
  assert.ok(typeof found === 'object');
  const drop = t.mock.method(found.thread, 'drop');
  logged();
  serve('other');
  tokenizers.look();
  assert.deepEqual([of(), gauge()], ['loading', undefined]);
  assert.equal(drop.mock.callCount(), 0, 'the other model has the same one');
  await settles(() => of('other') === 'ready');
  serve();
  tokenizers.look();
  assert.deepEqual(
    drop.mock.calls.map(({ arguments: [name] }) => name),
    [found.name],
  );
  logged();
  serve('m');
  tokenizers.look();
  assert.equal(of(), 'loading');
  await settles(() => of() === 'ready');
  assert.match(logged(), /model m: prompts are tokenized here/);
});

test('a reason is told again once the model has been away', async (t) => {
  const { serve, of, tokenizers, logged, settles } = begin(t, {
    sources: { standard: '/nowhere' },
  });
  for (let i = 0; i < 2; i++) {
    serve('m');
    tokenizers.look();
    await settles(() => of() === 'unavailable');
    assert.match(logged(), /model m: no tokenizer/);
    serve();
    tokenizers.look();
  }
});

test('a router has up to sixteen tokenizers', async (t) => {
  const models = Array.from({ length: 17 }, (_, i) => `m${i}`);
  const byModel = new Map(models.map((model) => [model, `/nowhere/${model}`]));
  const { of, tokenizers, logged, settles } = begin(t, { models, sources: { byModel } });
  tokenizers.look();
  await settles(() => models.slice(0, 16).every((model) => of(model) === 'unavailable'));
  assert.equal(of('m16'), 'loading');
  assert.match(logged(), /model m16: no tokenizer: this router has 16 tokenizers already\./);
});

test('what is found after the model has gone changes nothing', async (t) => {
  const { serve, of, tokenizers, logged, settles } = begin(t, { models: ['m', 'n'] });
  tokenizers.look();
  serve();
  tokenizers.look();
  serve('n');
  tokenizers.look();
  // The second search began after the first one, whose result has come by now, too.
  await settles(() => of('n') === 'ready');
  assert.deepEqual([...tokenizers.states()], [['n', true]]);
  assert.equal(logged().match(/tokenized here/g)?.length, 1);
});

test('a search that ends with the router is no failure', async (t) => {
  const { of, tokenizers, logged, settles } = begin(t, { sources: { standard: '/nowhere' } });
  tokenizers.look();
  let turns = 0;
  await settles(() => turns++ > 3 || of() === 'unavailable');
  tokenizers.close();
  turns = 0;
  await settles(() => turns++ > 200);
  assert.doesNotMatch(logged(), /thread that reads tokenizers ended/);
});

test('a template that does not work is told as such: completions are tokenized, chats are not', async (t) => {
  const folder = join(await temporaryFolder(t), 'tokenizer');
  await mkdir(folder);
  await cp(tokenizerFolder(), folder, { recursive: true });
  await writeFile(join(folder, 'chat_template.jinja'), '{% what is this %}');
  const { of, tokenizers, logged, settles } = begin(t, { sources: { standard: folder } });
  tokenizers.look();
  await settles(() => of() === 'ready');
  assert.match(
    logged(),
    /WARNING: model m: prompts are tokenized here, .*; chats are not, because its template does not work here: \S/,
  );
});

test('a policy without tokens has no tokenizers, until a stream is going to continue from its text', async (t) => {
  const { tokenizers, policy, of, settles } = begin(t);
  policy.needsTokens = false;
  tokenizers.onTick(1);
  assert.equal([...tokenizers.states()].length, 0);
  tokenizers.want();
  tokenizers.onTick(2);
  await settles(() => of() === 'ready');
});
