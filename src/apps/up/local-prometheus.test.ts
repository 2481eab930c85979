import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { parse } from 'yaml';
import type { EnginePlan } from '../../core/launch/index.ts';
import { resolveValues, type Values } from '../../core/values/index.ts';
import { choosePrometheusPort, localPrometheus, prometheusNote } from './local-prometheus.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-prometheus-test-'));
after(() => rmSync(folder, { recursive: true }));

/** A folder with a program named prometheus. */
const installed = { PATH: dirname(process.execPath) };
const nowhere = { PATH: folder };

function valuesWith(observability: object): Values {
  const text = JSON.stringify({ spillway: { observability } });
  return resolveValues({ files: [{ name: 'test', text }] }).values;
}

function member(name: string, url: string, certificate?: string) {
  const engine = (
    certificate === undefined ? { kind: 'url', url } : { kind: 'embedded', certificate }
  ) as EnginePlan;
  return { backend: { name, url, model: 'm' }, engine };
}

test('every engine and the router is a target, with its scheme, path and name', () => {
  const own = '/tmp/engine.pem';
  const values = valuesWith({
    ...{ prometheus: true, prometheusCommand: ['env', 'X=1', 'prometheus'], scrapeSeconds: 7 },
    prometheusRules: ['/rules/plan.yaml'],
  });
  const { url, spec, remove } = localPrometheus({
    ...{ values, port: 9123, routerUrl: 'https://127.0.0.1:8000' },
    members: [
      member('a', 'http://127.0.0.1:8001'),
      member('b', 'https://127.0.0.1:8002', own),
      member('c', 'https://gpu.example/c'),
    ],
  });
  assert.equal(url, 'http://127.0.0.1:9123');
  assert.equal(spec.command, 'env');
  assert.deepEqual(spec.args.slice(0, 2), ['X=1', 'prometheus']);
  const [config = ''] = spec.args.flatMap((arg) => /^--config.file=(.*)/.exec(arg)?.[1] ?? []);
  const { global, rule_files, scrape_configs } = parse(readFileSync(config, 'utf8'));
  assert.deepEqual(global, { scrape_interval: '7s', evaluation_interval: '7s' });
  assert.deepEqual(rule_files, ['recordings.yaml', 'alerts.yaml', '/rules/plan.yaml']);
  for (const file of ['recordings.yaml', 'alerts.yaml']) {
    assert.ok(parse(readFileSync(join(dirname(config), file), 'utf8')).groups.length > 0);
  }
  const ownTls = { scheme: 'https', tls_config: { insecure_skip_verify: true } };
  assert.deepEqual(scrape_configs, [
    {
      job_name: 'spillway-engines',
      static_configs: [
        { targets: ['127.0.0.1:8001'], labels: { pod: 'a' } },
        {
          targets: ['gpu.example:443'],
          labels: { pod: 'c', __scheme__: 'https', __metrics_path__: '/c/metrics' },
        },
      ],
    },
    {
      ...{ job_name: 'spillway-engines-tls', ...ownTls },
      static_configs: [{ targets: ['127.0.0.1:8002'], labels: { pod: 'b' } }],
    },
    {
      ...{ job_name: 'spillway-router-tls', ...ownTls },
      static_configs: [{ targets: ['127.0.0.1:8000'], labels: { pod: 'router' } }],
    },
  ]);
  remove();
  assert.ok(!existsSync(dirname(config)));
});

test('a folder of the user is kept', () => {
  const directory = join(folder, 'kept');
  const values = valuesWith({ prometheus: true, prometheusDirectory: directory });
  localPrometheus({ values, port: 1, routerUrl: undefined, members: [] }).remove();
  assert.ok(existsSync(join(directory, 'prometheus.yml')));
  const inFile = valuesWith({ prometheusDirectory: join(directory, 'prometheus.yml', 'x') });
  assert.throws(
    () => localPrometheus({ values: inFile, port: 1, routerUrl: undefined, members: [] }),
    /prometheusDirectory: the folder ".*" cannot be made \(ENOTDIR\); choose one/,
  );
});

test('a Prometheus that is not installed is reported with what to install, and none is started', async () => {
  const values = valuesWith({ prometheus: true });
  assert.match(
    prometheusNote(values, nowhere) ?? '',
    /no program "prometheus".*apt-get install prometheus.*prometheusCommand/,
  );
  assert.equal(await choosePrometheusPort(values, nowhere), undefined);
  assert.equal(prometheusNote(valuesWith({}), nowhere), undefined);
  const other = valuesWith({ prometheus: true, prometheusCommand: [process.execPath] });
  assert.equal(prometheusNote(other, nowhere), undefined);
});

test('its port must be free; 0 is any free one', async () => {
  const command = { prometheus: true, prometheusCommand: ['node'] };
  const free = await choosePrometheusPort(valuesWith({ ...command, prometheusPort: 0 }), installed);
  assert.ok(free !== undefined && free > 0);
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as { port: number };
  try {
    await assert.rejects(
      choosePrometheusPort(valuesWith({ ...command, prometheusPort: port }), installed),
      /prometheusPort/,
    );
  } finally {
    taken.close();
  }
});
