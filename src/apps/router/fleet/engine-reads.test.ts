// What the router asks an engine for, how often, and how much of the responses it reads.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { oneEngine } from '../../../../test/support/one-engine.ts';
import { respond } from '../../../../test/support/scripted-engine.ts';
import { until } from '../../../../test/support/until.ts';

/** A clock that stands still at `state.nowMs`. */
function still(t: TestContext, nowMs = 50_000) {
  const state = { nowMs };
  t.mock.method(performance, 'now', () => state.nowMs);
  return state;
}

const running = (count: number) => `vllm:num_requests_running ${count}\n`;

test('an engine’s URL may have a path, and its id is its URL', async (t) => {
  const received: string[] = [];
  const { engine, asked } = await oneEngine(
    t,
    {
      onRequest: ({ target, socket }) => {
        const [path = ''] = target.split('/?');
        received.push(path);
        respond(socket, 200, path === '/base/metrics' ? running(0) : '{"data":[{"id":"m"}]}');
      },
    },
    { basePath: '/base' },
  );
  const { host } = new URL(engine.url);
  assert.deepEqual([engine.host, engine.basePath, engine.id], [host, '/base', engine.url]);
  await engine.probe();
  const paths = ['/base/health', '/base/metrics', '/base/v1/models'];
  assert.deepEqual([asked(), received.sort()], [paths, paths]);
  const { engine: plain } = await oneEngine(t, {});
  assert.equal(plain.basePath, '');
});

test('the time of its start is told in whole seconds', async (t) => {
  t.mock.method(Date, 'now', () => 1_764_000_123_999);
  const { engine } = await oneEngine(t, {});
  assert.equal(engine.createdSeconds, 1_764_000_123);
});

test('the router’s own requests have the key of the engines, if there is one', async (t) => {
  const { engine, models } = await oneEngine(
    t,
    { apiKey: 'secret' },
    { authorization: 'Bearer secret' },
  );
  assert.deepEqual(engine.authorizationLines, ['Authorization: Bearer secret']);
  await engine.probe();
  assert.equal(models().length, 1);
  const { engine: open } = await oneEngine(t, {});
  assert.deepEqual(open.authorizationLines, []);
});

test('an engine that refuses the router’s key says so once with what to do, again once it has listed models', async (t) => {
  let listing: string | undefined = '{"data":[]}';
  const { engine, logged, core } = await oneEngine(t, {
    get listing() {
      return listing as string;
    },
  });
  await engine.probe();
  assert.equal(logged().match(/no list of models/g)?.length, 1);
  await engine.learnModels();
  assert.doesNotMatch(logged(), /no list of models/);
  listing = '{"data":[{"id":"m"}]}';
  await engine.learnModels();
  assert.deepEqual(core.endpoint(engine.url)?.models, ['m']);
  listing = '{"data":[]}';
  await engine.learnModels();
  assert.equal(logged().match(/no list of models/g)?.length, 1);
  listing = 'not JSON';
  await engine.learnModels();
  assert.match(logged(), /no list of models: \/v1\/models: .*JSON/);
});

test('models that it lists replace those that were assumed, and are not replaced by assumed ones', async (t) => {
  const { engine, core } = await oneEngine(t, { models: ['own'] }, { assumedModels: ['assumed'] });
  engine.assumeModels(['other']);
  assert.deepEqual(core.endpoint(engine.url)?.models, ['other']);
  await engine.probe();
  engine.assumeModels(['assumed']);
  assert.deepEqual(core.endpoint(engine.url)?.models, ['own']);
});

test('of the models that an engine lists, the first thousand count', async (t) => {
  const { engine, core } = await oneEngine(t, {
    models: Array.from({ length: 1_001 }, (_, i) => `m${i}`),
  });
  await engine.probe();
  assert.equal(core.endpoint(engine.url)?.models.length, 1_000);
  assert.equal(engine.models.at(-1)?.id, 'm999');
});

/** A text of so many bytes. */
const padded = (text: string, bytes: number) => text + ' '.repeat(bytes - text.length);

test('a list of models may have 1 MiB, metrics 8 MiB, and a health check 64 KiB', async (t) => {
  const megabyte = 1_048_576;
  const more = { models: 0, metrics: 0 };
  const { engine, logged } = await oneEngine(
    t,
    {
      get listing() {
        return padded('{"data":[{"id":"m"}]}', megabyte + more.models);
      },
      metrics: () => padded(`# \n${running(1)}#`, 8 * megabyte + more.metrics),
    },
    { level: 'debug' },
  );
  await engine.learnModels();
  assert.equal(engine.models.length, 1);
  more.models = 1;
  await engine.learnModels();
  assert.match(logged(), /\/v1\/models: the response is larger than 1048576 bytes/);
  await engine.scrape(() => 7);
  assert.equal(engine.reportedAtSeconds, 7);
  more.metrics = 1;
  await engine.scrape(() => 8);
  assert.equal(engine.reportedAtSeconds, 7);
  assert.match(logged(), /no metrics: .*larger than 8388608 bytes/);
  let bytes = 65_536;
  const health = await oneEngine(
    t,
    { onRequest: ({ socket }) => respond(socket, 200, padded('ok', bytes)) },
    { basePath: '/base' },
  );
  await health.engine.probe();
  assert.equal(health.state(), 'live');
  bytes += 1;
  for (let i = 0; i < 2; i++) await health.engine.probe();
  assert.equal(health.state(), 'dead');
});

test('a state lasts from its last change on', async (t) => {
  const state = still(t);
  const { engine } = await oneEngine(t, {});
  state.nowMs += 3_000;
  assert.equal(engine.stateSeconds, 3);
  await engine.probe();
  assert.equal(engine.stateSeconds, 0);
  state.nowMs += 2_500;
  await engine.probe();
  assert.equal(engine.stateSeconds, 2.5, 'it is live as before');
});

test('an engine tells in its responses whether it is emulated', async (t) => {
  const real = await oneEngine(t, {});
  assert.equal(real.engine.isEmulated, undefined);
  await real.engine.probe();
  assert.equal(real.engine.isEmulated, false);
  const head = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-spillway-emulated: true\r\n\r\n';
  const emulated = await oneEngine(
    t,
    { onRequest: ({ socket }) => socket.write(head) },
    { basePath: '/base' },
  );
  await emulated.engine.probe();
  assert.equal(emulated.engine.isEmulated, true);
});

test('an engine that a request found dead stays dead, whatever a check that began before finds', async (t) => {
  const { engine, state } = await oneEngine(t, {});
  const checked = engine.probe();
  engine.failed('connection refused');
  await checked;
  assert.equal(state(), 'dead');
});

test('the reason of a failed check is told in words', async (t) => {
  const { engine, scripted, core } = await oneEngine(t, {});
  await scripted.close();
  await engine.probe();
  assert.match(core.endpoint(engine.url)?.reason ?? '', /^\/health: \w.*ECONNREFUSED/);
  assert.doesNotMatch(core.endpoint(engine.url)?.reason ?? '', /Error:/);
});

test('models that only the source names are worth no warning', async (t) => {
  const { engine, logged } = await oneEngine(t, { models: [], metrics: () => running(0) });
  engine.assumeModels(['m']);
  await engine.learnModels();
  assert.doesNotMatch(logged(), /WARNING/);
});

test('a failed check does not add to one that a good check followed', async (t) => {
  let status = 200;
  const { engine, state } = await oneEngine(t, { health: () => status });
  for (status of [200, 500, 200, 500]) await engine.probe();
  assert.equal(state(), 'live');
});

test('metrics are read before an engine is live, with the time of the reading', async (t) => {
  still(t, 50_000);
  const { engine, core } = await oneEngine(t, { metrics: () => running(3) });
  await engine.probe();
  assert.equal(core.endpoint(engine.url)?.reported?.atSeconds, 50);
});

test('an engine that sleeps when it is first checked is asleep, and not live', async (t) => {
  const { engine, state, logged } = await oneEngine(t, {
    metrics: () => 'vllm:engine_sleep_state{sleep_state="awake"} 0\n',
  });
  await engine.probe();
  assert.equal(state(), 'asleep');
  assert.doesNotMatch(logged(), /is live/);
});

test('an engine that falls asleep has lost its cache', async (t) => {
  let awake = 1;
  const { engine, core } = await oneEngine(t, {
    metrics: () => `vllm:engine_sleep_state{sleep_state="awake"} ${awake}\n`,
  });
  await engine.probe();
  const restarted: string[] = [];
  t.mock.method(core, 'endpointRestarted', (url: string) => restarted.push(url));
  awake = 0;
  for (const second of [1, 2]) await engine.scrape(() => second);
  assert.deepEqual(restarted, [engine.url]);
});

test('the rates of an engine follow its reports, and begin again once it has been dead', async (t) => {
  let tokens = 100;
  const { engine } = await oneEngine(t, {
    metrics: () => `vllm:generation_tokens_total ${tokens}\n`,
  });
  const perSecond = () => engine.rates?.generationTokensPerSecond;
  await engine.scrape(() => 10);
  assert.equal(perSecond(), undefined);
  tokens = 160;
  await engine.scrape(() => 12);
  assert.equal(perSecond(), 30);
  engine.failed('test');
  assert.equal(perSecond(), undefined);
});

test('metrics that cannot be read leave the last report, and the reason is told when debugging', async (t) => {
  let body = running(3);
  let status = 200;
  const { engine, logged } = await oneEngine(
    t,
    {
      onRequest: ({ socket, target }) =>
        respond(socket, target.startsWith('/base/metrics') ? status : 200, body),
    },
    { basePath: '/base', level: 'debug' },
  );
  await engine.scrape(() => 1);
  [status, body] = [500, running(4)];
  await engine.scrape(() => 2);
  assert.deepEqual([engine.report?.running, engine.reportedAtSeconds], [3, 1]);
  engine.pool.close();
  await engine.scrape(() => 3);
  assert.match(logged(), /DEBUG: engine .*: no metrics: /);
});

test('a report that arrives once the engine is no longer listed does not count', async (t) => {
  const { engine } = await oneEngine(t, { metrics: () => running(3) });
  const read = engine.scrape(() => 1);
  engine.leave('no longer listed');
  await read;
  assert.equal(engine.report, undefined);
});

test('the models of a live engine are read again with every so many metrics', async (t) => {
  const { engine, asked } = await oneEngine(t, { metrics: () => running(0) });
  await engine.scrape(() => 1, 1);
  assert.deepEqual(asked(), ['/metrics'], 'it is not live');
  await engine.probe();
  asked();
  const read = async (modelsEvery?: number) => {
    await engine.scrape(() => 1, modelsEvery);
    return asked();
  };
  // The readings so far were two.
  assert.deepEqual(await read(3), ['/metrics', '/v1/models']);
  assert.deepEqual(await read(3), ['/metrics']);
  assert.deepEqual(await read(3), ['/metrics']);
  assert.deepEqual(await read(3), ['/metrics', '/v1/models']);
  for (let i = 0; i < 2; i++) assert.deepEqual(await read(), ['/metrics', '/v1/models']);
  engine.failed('test');
  assert.deepEqual(await read(1), ['/metrics'], 'it is dead');
});

test('the models of an engine that lists none are not read with its metrics', async (t) => {
  const { engine, asked, state } = await oneEngine(t, { models: [], metrics: () => running(0) });
  await engine.probe();
  assert.equal(state(), 'live');
  asked();
  await engine.scrape(() => 1, 1);
  assert.deepEqual(asked(), ['/metrics']);
});

test('an engine that is suspected is asked for its metrics, too: it may be another process', async (t) => {
  const state = still(t);
  const { engine, asked } = await oneEngine(t, { metrics: () => running(2) });
  const suspected = async () => {
    engine.suspect();
    const paths = asked();
    await engine.probe();
    await engine.scrape(() => 0);
    asked();
    return paths;
  };
  assert.deepEqual(await suspected(), ['/health'], 'it is not live yet');
  assert.equal(engine.live, true);
  assert.deepEqual(await suspected(), ['/health', '/metrics']);
  state.nowMs += 999;
  assert.deepEqual(await suspected(), ['/health'], 'it was asked within the last second');
  state.nowMs += 1;
  assert.deepEqual(await suspected(), ['/health', '/metrics']);
  state.nowMs += 1_000;
  engine.suspect();
  await until(() => engine.reportedAtSeconds === state.nowMs / 1000);
});

test('metrics that are being read when an engine is suspected are read once more', async (t) => {
  still(t, 50_000);
  const { engine, asked } = await oneEngine(t, { metrics: () => running(2) });
  await engine.probe();
  asked();
  const read = engine.scrape(() => 1);
  engine.suspect();
  assert.deepEqual(asked(), ['/health', '/metrics']);
  await read;
  await engine.scrape(() => 2);
  assert.equal(engine.reportedAtSeconds, 50, 'that reading was under way');
});

test('an engine whose kept connection closes is checked, unless it is the router that closed it', async (t) => {
  const { engine, asked, scripted } = await oneEngine(t, {});
  await engine.probe();
  asked();
  const paths: string[] = [];
  for (const socket of scripted.sockets) socket.end();
  await until(() => paths.push(...asked()) >= 2);
  assert.deepEqual(paths.filter((path) => path !== '/v1/models').sort(), ['/health', '/metrics']);
  await engine.probe();
  await engine.scrape(() => 1);
  asked();
  engine.close();
  await until(() => scripted.sockets.size === 0);
  engine.suspect();
  await engine.probe();
  await engine.scrape(() => 2);
  assert.deepEqual(asked(), []);
});

test('an engine that is removed is not asked again', async (t) => {
  const { engine, asked } = await oneEngine(t, {});
  engine.close();
  await engine.probe();
  await engine.scrape(() => 1);
  assert.deepEqual(asked(), []);
});

test('an engine that refuses the router for its key is told with what to do, other refusals are not', async (t) => {
  let status = 403;
  const { engine, logged } = await oneEngine(
    t,
    { onRequest: ({ socket }) => respond(socket, status, '{}') },
    { basePath: '/base' },
  );
  await engine.learnModels();
  assert.match(logged(), /\/v1\/models returned 403: give the router the key of the engines/);
  for (status of [402, 404]) {
    await engine.learnModels();
    assert.match(logged(), new RegExp(`/v1/models returned ${status}\n`));
  }
});
