// `spillway up` starts a Prometheus, which is a scripted one here; the lane "prometheus" has a real one.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { isAlive, UpProcess } from '../support/up-process.ts';

const scripted = join(import.meta.dirname, '..', 'support', 'scripted-prometheus.mjs');
const wanted = ['--set', 'spillway.observability.prometheus=true'];

test('up starts the Prometheus of the values, prints its address, and ends it', async (context) => {
  const up = await UpProcess.start([
    ...['--engines', '2', '--json', ...wanted, '--set', 'spillway.observability.prometheusPort=0'],
    ...['--set', `spillway.observability.prometheusCommand={${process.execPath},${scripted}}`],
  ]);
  context.after(() => up.end('SIGKILL'));
  await up.ready();
  const url = String(up.events.find(({ event }) => event === 'ready')?.['prometheus']);
  const config = parse(await (await fetch(`${url}/config`)).text());
  const [engines, router] = config.scrape_configs;
  assert.deepEqual([engines.job_name, router.job_name], ['spillway-engines', 'spillway-router']);
  assert.deepEqual(router.static_configs[0].targets, [`127.0.0.1:${up.port}`]);
  for (const { targets } of engines.static_configs) {
    const page = await (await fetch(`http://${targets[0]}/metrics`)).text();
    assert.match(page, /^vllm:kv_cache_usage_perc\{/m);
  }
  const pid = up.pids.get('prometheus') ?? 0;
  assert.ok(isAlive(pid));
  assert.equal(await up.end('SIGINT'), 0);
  assert.ok(!isAlive(pid));
});

test('without a Prometheus on the PATH, up says what to install and serves', async (context) => {
  const up = await UpProcess.start(
    [
      ...['--engines', '1', '--plain', ...wanted],
      ...['--set', 'spillway.observability.prometheusCommand={spillway-has-no-such-program}'],
    ],
    {},
  );
  context.after(() => up.end('SIGKILL'));
  await up.ready();
  assert.match(up.stderr, /no program "spillway-has-no-such-program".*apt-get install prometheus/);
  await up.until(() => /^for await .*\n/m.test(up.stdout));
  assert.doesNotMatch(up.stdout, /^prometheus:/m);
});
