// promtool accepts the chart's alerts and the queries of its dashboards, and the alerts fire when they should.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stringify } from 'yaml';
import { filledIn } from '../../../src/core/observability/index.ts';
import { objects, one } from './helm.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-rules-'));
after(() => rmSync(folder, { recursive: true }));

const skip = hasPromtool() ? false : 'no promtool on PATH';

test('promtool accepts the alerts, which fire in their namespace and only when they should', {
  skip,
}, async () => {
  const all = await objects(
    { spillway: { prometheusRule: { enabled: true, runbooks: 'https://wiki/alerts' } } },
    { namespace: 'prod' },
  );
  const rules = write('rules.yaml', one(all, 'PrometheusRule')['spec']);
  promtool('check', 'rules', rules);
  const { groups } = one(all, 'PrometheusRule')['spec'] as {
    groups: { rules: { alert?: string; annotations?: Record<string, string> }[] }[];
  };
  const runbooks = groups.flatMap(({ rules: own }) =>
    own.flatMap(({ alert, annotations }) =>
      alert === undefined ? [] : [[alert, annotations?.['runbook_url']]],
    ),
  );
  assert.ok(runbooks.length > 15);
  for (const [alert = '', url] of runbooks) {
    assert.equal(url, `https://wiki/alerts#${alert.toLowerCase()}`);
  }
  const inNamespace = (namespace: string) => `{namespace="${namespace}",pod="p",model_name="m"}`;
  const fires = (alertname: string, at: string) => ({ alertname, eval_time: at, exp_alerts: [] });
  const tests = [
    {
      interval: '1m',
      input_series: [
        { series: `vllm:kv_cache_usage_perc${inNamespace('prod')}`, values: '0.91x20' },
        { series: `vllm:kv_cache_usage_perc${inNamespace('other')}`, values: '0.99x20' },
        { series: `vllm:num_requests_waiting${inNamespace('prod')}`, values: '10x20' },
        { series: 'vllm:healthy_pods_total{namespace="prod",server="a"}', values: '1x20' },
        { series: 'up{namespace="prod",job="vllm-router-service"}', values: '1x20' },
        { series: 'up{namespace="prod",job="vllm-m-engine-service",pod="p"}', values: '1x20' },
      ],
      alert_rule_test: [
        'VllmHbmPressure',
        'VllmRequestsWaiting',
        'SpillwayEngineUnhealthy',
        'SpillwayNoEngine',
        'SpillwayRouterDown',
        'VllmEngineDown',
      ].map((name) => fires(name, '15m')),
    },
  ];
  promtool('test', 'rules', write('quiet.yaml', { rule_files: [rules], tests }));
  // The same file refuses silence once each threshold is passed.
  const loud = structuredClone(tests) as { input_series: { series: string; values: string }[] }[];
  for (const series of loud[0]?.input_series ?? []) {
    series.values = series.values
      .replace('0.91', '0.93')
      .replace(/^10x/, '11x')
      .replace(/^1x/, '0x');
  }
  const refused = failure(
    'test',
    'rules',
    write('loud.yaml', { rule_files: [rules], tests: loud }),
  );
  for (const { alertname } of tests[0]?.alert_rule_test ?? []) {
    assert.match(refused, new RegExp(`alertname: ${alertname}`), alertname);
  }
});

test('spillway.observability.prometheus creates monitors, rules and dashboards where the cluster has the operator', async () => {
  const values = { spillway: { observability: { prometheus: true } } };
  const kinds = (all: readonly { readonly kind: string }[], kind: string) =>
    all.filter((one) => one.kind === kind).length;
  const all = await objects(values);
  assert.deepEqual([kinds(all, 'ServiceMonitor'), kinds(all, 'PrometheusRule')], [2, 1]);
  assert.ok(all.some(({ metadata }) => metadata.name.endsWith('-grafana-spillway-router')));
  const without = await objects(values, { apiVersions: [] });
  assert.deepEqual(without, await objects({}));
});

test('the monitors select the Services whose names the rules and dashboards expect', async () => {
  const all = await objects({
    servingEngineSpec: {
      serviceMonitor: { enabled: true },
      modelSpec: [{ name: 'e', kind: 'embedded', modelURL: 'Qwen/Qwen3-8B', replicaCount: 1 }],
    },
    routerSpec: { serviceMonitor: { enabled: true } },
  });
  const monitors = all.filter(({ kind }) => kind === 'ServiceMonitor');
  const expected = [/engine-service$/, /router-service$/];
  assert.equal(monitors.length, expected.length);
  for (const monitor of monitors) {
    const { selector, endpoints } = monitor['spec'];
    const services = all.filter(
      ({ kind, metadata, spec }) =>
        kind === 'Service' &&
        Object.entries(selector.matchLabels).every(
          ([label, value]) => (metadata['labels'] as Record<string, unknown>)?.[label] === value,
        ) &&
        (spec.ports as { name: string }[]).some(({ name }) => name === endpoints[0].port),
    );
    // Prometheus Operator takes the name of the Service as the job.
    assert.ok(services.length > 0, monitor.metadata.name);
    for (const { metadata } of services) {
      assert.equal(
        expected.filter((pattern) => pattern.test(metadata.name)).length,
        1,
        metadata.name,
      );
    }
  }
});

test('promtool parses every query of the dashboards', { skip }, async () => {
  const all = await objects({
    grafanaDashboards: { enabled: true },
    cacheserverSpec: { enabled: true },
  });
  const dashboards = all.filter(({ metadata }) => metadata.name.includes('-grafana-'));
  assert.equal(dashboards.length, 8);
  const queries = dashboards.flatMap(({ data }) =>
    Object.values(data as Record<string, string>).flatMap((text) =>
      (JSON.parse(text).panels as { targets?: { expr: string }[] }[]).flatMap(({ targets = [] }) =>
        targets.map(({ expr }) => expr),
      ),
    ),
  );
  assert.ok(queries.length > 60, `${queries.length}`);
  const rules = queries.map((expr, index) => ({
    record: `query:${index}`,
    expr: filledIn(expr, { rateInterval: '5m', values: { gpu_price: '1', gpus_per_engine: '1' } }),
  }));
  promtool('check', 'rules', write('queries.yaml', { groups: [{ name: 'queries', rules }] }));
});

function write(name: string, value: unknown): string {
  const file = join(folder, name);
  writeFileSync(file, stringify(value));
  return file;
}

function promtool(...words: readonly string[]): string {
  return execFileSync('promtool', words, { timeout: 60_000, stdio: 'pipe' }).toString();
}

/** Returns what promtool prints when it fails. */
function failure(...words: readonly string[]): string {
  try {
    promtool(...words);
  } catch (error) {
    const { stdout, stderr } = error as { stdout: Buffer; stderr: Buffer };
    return `${stdout}${stderr}`;
  }
  return assert.fail('promtool found nothing');
}

function hasPromtool(): boolean {
  try {
    promtool('--version');
    return true;
  } catch {
    return false;
  }
}
