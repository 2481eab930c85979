// Engines that come and go, and all that comes and goes with them.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { startScriptedEngine } from '../../../../test/support/scripted-engine.ts';
import { until } from '../../../../test/support/until.ts';
import { MetricsRegistry } from '../../../core/metrics/index.ts';
import { createPolicy, RoutingCore } from '../../../core/routing/index.ts';
import type { DiscoveredEndpoint } from '../../../io/endpoints/index.ts';
import { Ticker } from '../../../io/http/index.ts';
import type { KvIndexFeed } from '../../../io/kv-events/index.ts';
import { createLogger } from '../../../io/log/index.ts';
import { RouterMetrics } from '../metrics/router-metrics.ts';
import { Fleet } from './fleet.ts';
import type { SharedAttempts } from './shared-attempts.ts';

/** A fleet that is not started, so that no engine is contacted, with a journal of what it tells others. */
function begin(context: TestContext, { tickMs = 60_000 } = {}) {
  const ticker = new Ticker({ tickMs });
  const policy = createPolicy('roundrobin', { random: { next: () => 0 } });
  const core = new RoutingCore({ policy, clock: { nowSeconds: () => 100 } });
  const registry = new MetricsRegistry();
  const journal: string[] = [];
  const stream = new PassThrough();
  const log = createLogger({ stream, level: 'info', format: 'text' });
  const feed = {
    follow: (url: string, sources?: readonly { endpoint: string; rank: number }[]) => {
      const from = sources?.map(({ endpoint, rank }) => ` at ${endpoint}, rank ${rank}`) ?? [];
      journal.push(`follow ${url}${from.join()}`);
    },
    unfollow: (url: string) => journal.push(`unfollow ${url}`),
  };
  const shared = {
    addEngine: (url: string) => journal.push(`share ${url}`),
    removeEngine: (url: string) => journal.push(`unshare ${url}`),
  };
  const fleet = new Fleet({
    ...{ core, ticker, log, metrics: new RouterMetrics(registry, 60) },
    ...{ feed: feed as unknown as KvIndexFeed, shared: shared as unknown as SharedAttempts },
    kvEventSources: new Map([
      ['http://b', { endpoint: 'tcp://b:5557', replayEndpoint: undefined }],
    ]),
    ...{ limits: {}, tls: undefined, authorization: undefined },
    roleOf: (label) => (label === 'prefill' ? 'prefill' : undefined),
    ...{ healthTimeoutMs: () => 1_000, nowSeconds: () => 100, sight: { isOpen: true } },
  });
  context.after(() => {
    fleet.close();
    ticker.stop();
  });
  /** Puts a request in flight at the only live engine; returns its end. */
  const busy = (url: string) => {
    core.setState(url, 'live', 'test');
    const ticket = core.route({
      ...{ id: 'r', model: 'm', pinnedUrl: url, session: undefined, prompt: [], promptTokens: 1 },
      ...{ tokens: undefined, outputTokensMax: undefined, stream: false },
    });
    ticket.sent();
    return () => ticket.finish({ status: 'completed' });
  };
  return {
    ...{ fleet, core, busy, ticker },
    urls: () => [...fleet.engines.keys()],
    state: (url: string) => core.stateOf(url),
    /** What was told since the last call. */
    told: () => journal.splice(0),
    logged: () => {
      log.flush();
      return String(stream.read() ?? '');
    },
    hasSeries: (url: string) => registry.render().includes(`server="${url}"`),
  };
}

function endpoint(url: string, name?: string): DiscoveredEndpoint {
  return { url, name, models: ['m'] };
}

test('added engines are known at once, under their names, and wait for their first check', (t) => {
  const { fleet, urls, state, told } = begin(t);
  fleet.apply([
    { kind: 'added', endpoint: endpoint('http://a', 'one') },
    { kind: 'added', endpoint: endpoint('http://b') },
  ]);
  assert.deepEqual(urls(), ['http://a', 'http://b']);
  assert.equal(fleet.engines.get('http://a')?.label, 'one (http://a)');
  assert.equal(state('http://a'), 'starting');
  assert.deepEqual(told(), ['share http://a', 'share http://b']);
});

test('a removed engine finishes its requests, and is then forgotten with all its series', (t) => {
  const { fleet, urls, state, told, logged, busy, hasSeries } = begin(t);
  fleet.replace([endpoint('http://a'), endpoint('http://b')]);
  const end = busy('http://a');
  told();
  fleet.replace([endpoint('http://b')]);
  assert.equal(state('http://a'), 'draining');
  assert.deepEqual(told(), ['unfollow http://a']);
  assert.match(logged(), /engine http:\/\/a is no longer listed: it gets no new requests/);
  fleet.onTick();
  assert.deepEqual(urls(), ['http://a', 'http://b'], 'a request is in flight');
  end();
  assert.ok(hasSeries('http://a'));
  fleet.onTick();
  assert.deepEqual([urls(), state('http://a')], [['http://b'], undefined]);
  assert.deepEqual(told(), ['unshare http://a']);
  assert.ok(!hasSeries('http://a') && hasSeries('http://b'));
  assert.match(logged(), /engine http:\/\/a removed/);
  fleet.apply([{ kind: 'removed', url: 'http://a' }]);
  assert.deepEqual(told(), [], 'an unknown engine');
});

test('an engine that is listed again before it is idle stays, under its new name', (t) => {
  const { fleet, urls, state, logged, busy, told } = begin(t);
  fleet.replace([endpoint('http://a')]);
  const end = busy('http://a');
  fleet.replace([]);
  fleet.replace([endpoint('http://a', 'new')]);
  assert.equal(state('http://a'), 'starting');
  assert.match(logged(), /engine new \(http:\/\/a\) is listed again/);
  end();
  fleet.onTick();
  assert.deepEqual(urls(), ['http://a']);
  assert.deepEqual(told(), ['share http://a', 'unfollow http://a'], 'peers keep it');
});

test('a changed engine gets its new name and its assumed models, and nothing else happens to it', (t) => {
  const { fleet, core, state, busy, told } = begin(t);
  fleet.replace([endpoint('http://a', 'old')]);
  const end = busy('http://a');
  told();
  fleet.apply([
    { kind: 'changed', endpoint: { url: 'http://a', name: 'new', models: ['m', 'n'] } },
  ]);
  assert.equal(fleet.engines.get('http://a')?.name, 'new');
  assert.deepEqual(core.endpoint('http://a')?.models, ['m', 'n']);
  assert.equal(state('http://a'), 'live');
  assert.deepEqual(told(), []);
  end();
});

test('KV events are followed while the policy wants them, also of engines that come later', (t) => {
  const { fleet, told } = begin(t);
  fleet.replace([endpoint('http://a')]);
  fleet.followKvEvents(true);
  fleet.followKvEvents(true);
  assert.deepEqual(told(), ['share http://a', 'follow http://a']);
  fleet.replace([endpoint('http://a'), endpoint('http://b')]);
  assert.deepEqual(told(), ['share http://b', 'follow http://b at tcp://b:5557, rank 0']);
  fleet.followKvEvents(false);
  assert.deepEqual(told(), ['unfollow http://a', 'unfollow http://b']);
  fleet.replace([endpoint('http://a'), endpoint('http://b'), endpoint('http://c')]);
  assert.deepEqual(told(), ['share http://c']);
});

test('once started, a fleet probes each engine, reads its metrics, and tells of those that come', async (t) => {
  const { fleet, core, logged } = begin(t);
  const engines = await Promise.all(
    [1, 2].map((running) =>
      startScriptedEngine({ metrics: () => `vllm:num_requests_running ${running}\n` }),
    ),
  );
  t.after(() => Promise.all(engines.map((engine) => engine.close())));
  const [a = '', b = ''] = engines.map(({ url }) => url);
  fleet.replace([endpoint(a)]);
  assert.doesNotMatch(logged(), /added/);
  assert.equal(core.stateOf(a), 'starting');
  const notLive = () => Array.from(fleet.notLive, ({ url }) => url);
  assert.deepEqual(notLive(), [a]);
  await fleet.start();
  assert.equal(core.stateOf(a), 'live');
  assert.deepEqual(notLive(), []);
  fleet.replace([endpoint(a), endpoint(b)]);
  assert.match(logged(), new RegExp(`engine ${b} added\n`));
  await until(() => core.stateOf(b) === 'live');
  await until(() => core.endpoint(b)?.reported?.running === 2);
  assert.equal(core.endpoint(a)?.reported?.running, 1);
  fleet.engines.get(a)?.failed('a request broke');
  assert.deepEqual(notLive(), [a]);
  fleet.replace([endpoint(a)]);
  assert.deepEqual(notLive(), [a, b], 'one that leaves is not live');
  fleet.onTick();
  assert.deepEqual(notLive(), [a], 'one that was removed is none');
});

test('sixteen first checks start in one turn, the others in the next ones', async (t) => {
  const { fleet } = begin(t);
  const urls = Array.from({ length: 40 }, (_, i) => `http://engine-${i}`);
  fleet.replace(urls.map((url) => endpoint(url)));
  let probes = 0;
  for (const engine of fleet.engines.values()) {
    t.mock.method(engine, 'probe', async () => void probes++);
    t.mock.method(engine, 'scrape', async () => {});
  }
  const started = fleet.start();
  const perTurn: number[] = [];
  while (probes < 40) {
    const before = probes;
    await new Promise((resolve) => setImmediate(resolve));
    if (probes > before) perTurn.push(probes - before);
  }
  await started;
  assert.deepEqual(perTurn, [16, 16, 8]);
});

test('an engine that leaves is forgotten with a tick, and one that was forgotten stays so', async (t) => {
  const { fleet, urls, logged } = begin(t, { tickMs: 5 });
  fleet.replace([endpoint('http://a')]);
  const engine = fleet.engines.get('http://a');
  fleet.replace([]);
  await until(() => urls().length === 0);
  assert.equal(engine?.isLeaving, true);
  for (let i = 0; i < 2; i++) fleet.onTick();
  assert.equal(logged().match(/removed/g)?.length, 1);
});

test('a fleet that closes closes its engines, and follows time no longer', async (t) => {
  const { fleet, ticker } = begin(t);
  const scripted = await startScriptedEngine({});
  t.after(() => scripted.close());
  fleet.replace([endpoint(scripted.url)]);
  await fleet.start();
  await until(() => scripted.sockets.size > 0);
  const engine = fleet.engines.get(scripted.url);
  const remove = t.mock.method(ticker, 'remove');
  fleet.close();
  assert.ok(engine?.isLeaving);
  assert.ok(remove.mock.calls.some(({ arguments: [member] }) => member === fleet));
  await until(() => scripted.sockets.size === 0);
});
