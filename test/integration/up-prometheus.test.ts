// `spillway up` starts a Prometheus, which is a scripted one here; the lane "prometheus" has a real one.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { isAlive, UpProcess } from '../support/up-process.ts';

const scripted = join(import.meta.dirname, '..', 'support', 'scripted-prometheus.mjs');
const wanted = ['--set', 'spillway.observability.prometheus=true'];

const launcher = join(import.meta.dirname, '..', '..', 'bin', 'spillway.mjs');

/** The environment of a user who runs nothing else, and has no cluster. */
async function ownEnvironment(context: TestContext): Promise<NodeJS.ProcessEnv> {
  const folder = await mkdtemp(join(tmpdir(), 'up-prometheus-'));
  context.after(() => rm(folder, { recursive: true }));
  const { KUBECONFIG: _, ...env } = process.env;
  return { ...env, XDG_RUNTIME_DIR: folder, HOME: folder };
}

test('up starts the Prometheus of the values, prints its address, and ends it; monitor prints it too', async (context) => {
  const env = await ownEnvironment(context);
  const up = await UpProcess.start(
    [
      ...['--engines', '2', '--json', ...wanted],
      ...['--set', 'spillway.observability.prometheusPort=0'],
      ...['--set', `spillway.observability.prometheusCommand={${process.execPath},${scripted}}`],
    ],
    { env },
  );
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
  const monitor = async (...flags: string[]) => {
    const command = [launcher, 'monitor', ...flags];
    return (await promisify(execFile)(process.execPath, command, { env, timeout: 60_000 })).stdout;
  };
  assert.deepEqual(JSON.parse(await monitor('--local', '--json')).stacks, [
    { pid: up.process.pid, router: `${up.url}/v1`, page: `${up.url}/`, prometheus: url },
  ]);
  assert.match(await monitor(), new RegExp(`^prometheus ${url} `, 'm'));
  const pid = up.pids.get('prometheus') ?? 0;
  assert.ok(isAlive(pid));
  assert.equal(await up.end('SIGINT'), 0);
  assert.ok(!isAlive(pid));
  await assert.rejects(monitor('--local'), /No stack runs on this machine/);
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
