// One engine of a router, against a scripted engine on a real socket.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { oneEngine } from '../../../../test/support/one-engine.ts';
import { until } from '../../../../test/support/until.ts';

const page = `vllm:num_requests_running 7
vllm:num_requests_waiting 3
vllm:kv_cache_usage_perc 0.25
vllm:prefix_cache_queries_total 400
vllm:prefix_cache_hits_total 300
vllm:num_preemptions_total 2
vllm:prompt_tokens_total 5000
vllm:generation_tokens_total 600
process_start_time_seconds 12
vllm:cache_config_info{block_size="16",num_gpu_blocks="101"} 1
`;

test('what an engine reports reaches the policy, and /engines with its age', async (t) => {
  const { engine, core, view } = await oneEngine(t, { metrics: () => page });
  assert.equal(view(100).reported, null, 'nothing is reported yet');
  await engine.scrape(() => 100);
  assert.deepEqual(core.endpoint(engine.url)?.reported, {
    ...{ atSeconds: 100, running: 7, waiting: 3, kvUsage: 0.25 },
    ...{ blocksTotal: 101, blockTokens: 16, startedAtSeconds: 12 },
    ...{ prefixCacheHits: 300, lowerTierHits: undefined, lowerTierQueries: undefined },
  });
  assert.deepEqual(view(101.5).reported, {
    ...{ ageSeconds: 1.5, running: 7, waiting: 3, kvUsage: 0.25, blocksTotal: 101 },
    // Block 0 is not for requests.
    blocksUsed: 25,
    ...{ prefixCacheQueries: 400, prefixCacheHits: 300, preemptions: 2 },
    ...{ promptTokens: 5000, generationTokens: 600 },
  });
});

test('figures that an engine does not report are 0 for the policy, and null on /engines', async (t) => {
  let text = 'vllm:prompt_tokens_total 5\n';
  const { engine, core, view } = await oneEngine(t, { metrics: () => text });
  await engine.scrape(() => 100);
  assert.equal(core.endpoint(engine.url)?.reported, undefined, 'nothing about its load');
  assert.deepEqual(view(100).reported, {
    ...{ ageSeconds: 0, running: null, waiting: null, kvUsage: null, blocksTotal: null },
    ...{ blocksUsed: null, prefixCacheQueries: null, prefixCacheHits: null, preemptions: null },
    ...{ promptTokens: 5, generationTokens: null },
  });
  const loadOf = () => {
    const { running, waiting, kvUsage } = core.endpoint(engine.url)?.reported ?? assert.fail();
    return [running, waiting, kvUsage];
  };
  for (const [line, expected] of [
    ['vllm:num_requests_running 1', [1, 0, 0]],
    ['vllm:num_requests_waiting 2', [0, 2, 0]],
    ['vllm:kv_cache_usage_perc 0.5', [0, 0, 0.5]],
  ] as const) {
    text = `${line}\n`;
    await engine.scrape(() => 100);
    assert.deepEqual(loadOf(), expected);
  }
});

test('an engine that falls asleep and wakes up is logged once each', async (t) => {
  let asleep = 0;
  const { engine, state, logged } = await oneEngine(t, {
    metrics: () => `${page}vllm:engine_sleep_state{sleep_state="awake"} ${1 - asleep}\n`,
  });
  await engine.probe();
  assert.match(logged(), /engine .* is live\n$/);
  asleep = 1;
  for (const second of [100, 101]) await engine.scrape(() => second);
  assert.equal(state(), 'asleep');
  assert.deepEqual(logged().match(/is \w+/g), ['is asleep']);
  asleep = 0;
  for (const second of [102, 103]) await engine.scrape(() => second);
  assert.equal(state(), 'live');
  assert.deepEqual(logged().match(/is \w+/g), ['is awake']);
});

test('an engine is named by its address unless its source names it', async (t) => {
  const { engine, view } = await oneEngine(t, {});
  const address = engine.url.slice('http://'.length);
  assert.deepEqual([engine.name, engine.label, view(100).name], [address, engine.url, address]);
  engine.rename('one');
  assert.deepEqual([engine.name, engine.label], ['one', `one (${engine.url})`]);
  assert.equal(
    engine.headerLines,
    `x-spillway-engine: ${engine.url}\r\nx-spillway-engine-name: one\r\n`,
  );
  engine.rename(address);
  assert.equal(engine.label, engine.url);
});

test('a failed check is forgiven once, unless the engine is suspected or refuses connections', async (t) => {
  let status = 200;
  const { engine, state, logged, scripted } = await oneEngine(t, { health: () => status });
  await engine.probe();
  assert.equal(state(), 'live');
  status = 500;
  await engine.probe();
  assert.equal(state(), 'live', 'one failure may be chance');
  await engine.probe();
  assert.equal(state(), 'dead');
  assert.match(logged(), /is dead: \/health returned 500/);
  status = 499;
  await engine.probe();
  assert.equal(state(), 'live', 'it responds');
  status = 500;
  engine.suspect();
  await until(() => state() === 'dead');
  status = 200;
  await engine.probe();
  assert.equal(state(), 'live');
  await scripted.close();
  await engine.probe();
  assert.equal(state(), 'dead', 'refused at once');
});

test('an engine without a list of models serves those of its source, and one sentence says why', async (t) => {
  const { engine, core, logged } = await oneEngine(
    t,
    { apiKey: 'secret' },
    { assumedModels: ['assumed'] },
  );
  await engine.probe();
  assert.deepEqual(core.endpoint(engine.url)?.models, ['assumed']);
  assert.doesNotMatch(logged(), /no list of models/);
  const bare = await oneEngine(t, { apiKey: 'secret' });
  await bare.engine.probe();
  assert.match(
    bare.logged(),
    /WARNING: .* no list of models: \/v1\/models returned 401: give the router the key of the engines/,
  );
  await bare.engine.probe();
  assert.doesNotMatch(bare.logged(), /no list of models/, 'told once');
  assert.throws(
    () => bare.core.route({ ...request, model: 'm' }),
    /\/v1\/models returned 401: give the router the key/,
  );
});

const request = {
  ...{ id: 'r', session: undefined, prompt: [], promptTokens: 0, tokens: undefined },
  ...{ outputTokensMax: undefined, stream: false },
};

test('a list of models that is none, or has no names, is said as such', async (t) => {
  for (const listing of ['{"data":7}', 'null', '{"data":[null,{"id":7}]}']) {
    const { engine, logged } = await oneEngine(t, { listing });
    await engine.probe();
    assert.match(logged(), /no list of models: \/v1\/models lists none$/m, listing);
  }
});

test('/v1/models lists the engine’s own cards, and aliases as copies of them', async (t) => {
  const { engine, models, core } = await oneEngine(t, { models: ['m', 'n'] });
  await engine.probe();
  const card = (id: string) => ({ id, object: 'model', owned_by: 'vllm' });
  const aliases = new Map([
    ['short', 'm'],
    ['n', 'm'],
    ['nothing', 'unknown'],
  ]);
  assert.deepEqual(models(aliases), [card('m'), card('n'), card('short')]);
  core.setState(engine.url, 'dead', 'test');
  assert.deepEqual(models(aliases), []);
});

test('models that only the source names get a card with the time of the engine’s start', async (t) => {
  const { engine, models } = await oneEngine(t, { models: [] }, { assumedModels: ['m'] });
  await engine.probe();
  const { createdSeconds: created } = engine;
  assert.deepEqual(models(), [{ id: 'm', object: 'model', created, owned_by: 'vllm' }]);
});

test('an engine that leaves gets no requests, whatever a check in flight finds', async (t) => {
  const { engine, state } = await oneEngine(t, {});
  const checked = engine.probe();
  engine.leave('no longer listed');
  await checked;
  assert.equal(state(), 'draining');
  await engine.probe();
  assert.equal(state(), 'draining', 'it is not checked any more');
  engine.failed('connection refused');
  assert.equal(state(), 'draining');
  engine.stay();
  assert.equal(state(), 'starting');
  await engine.probe();
  assert.equal(state(), 'live');
});

test('who asks for a health check while one is under way waits for it and for the models', async (t) => {
  const { engine, models } = await oneEngine(t, {});
  const first = engine.probe();
  await engine.probe();
  assert.equal(models().length, 1);
  await first;
});

test('an engine that is removed is not connected any more, and a check in flight says nothing of it', async (t) => {
  const { engine, state, logged, scripted } = await oneEngine(t, {});
  await engine.probe();
  assert.equal(state(), 'live');
  assert.ok(scripted.sockets.size > 0);
  engine.suspect();
  const checked = engine.probe();
  engine.close();
  await checked;
  assert.equal(state(), 'live');
  assert.doesNotMatch(logged(), /is dead/);
  await until(() => scripted.sockets.size === 0);
});

test('an engine whose streams stand still is checked at once, and one failure is enough', async (t) => {
  let status = 200;
  const { engine, state, logged } = await oneEngine(t, { health: () => status });
  await engine.probe();
  status = 500;
  engine.stalled('no data for 10 s');
  assert.equal(engine.metrics.stalls.value, 1);
  assert.match(logged(), /WARNING: engine .* is wedged: no data for 10 s/);
  await until(() => state() === 'dead');
});

test('a report that says what the last one said takes no memory', async (t) => {
  let text = page;
  const { engine, core, view } = await oneEngine(t, { metrics: () => text });
  await engine.scrape(() => 100);
  const { report } = engine;
  await engine.scrape(() => 105);
  assert.equal(engine.report, report);
  assert.equal(core.endpoint(engine.url)?.reported?.atSeconds, 105);
  assert.equal(view(106).reported?.ageSeconds, 1, 'it is new all the same');
  text = page.replace('running 7', 'running 8');
  await engine.scrape(() => 110);
  assert.equal(engine.report?.running, 8);
});
