// Dashboards and rules read only metrics that something exports: our router, the embedded engine, which has all of vLLM's, or LMCache.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { EngineMetrics } from '../../src/apps/engine/metrics/engine-metrics.ts';
import { startRouter } from '../../src/apps/router/index.ts';
import { defaultEngineConfig, nativeOffloadConfig } from '../../src/core/engine/index.ts';
import {
  alertRules,
  dashboards,
  metricNames,
  plainScope,
  planSeries,
  recordingRules,
  ruleCases,
  runbookAnchor,
} from '../../src/core/observability/index.ts';
import type { Tokenizer } from '../../src/core/tokenizer/index.ts';
import { createLogger } from '../../src/io/log/index.ts';

/** What Prometheus itself adds. */
const ofPrometheus = ['up'];
/** What vLLM exported before 0.11. */
const ofOldEngines = ['vllm:gpu_cache_usage_perc'];

const rules = [...recordingRules, ...alertRules].flatMap((group) => group.rules);
const alerts = rules.filter((rule) => rule.kind === 'alert');
const recorded = rules.filter((rule) => rule.kind === 'recording').map(({ name }) => name);
const cases = Object.values(ruleCases).flatMap((one) => one.cases);

/** The names of the series of each family on a page. */
function seriesNames(page: string): readonly string[] {
  return [...page.matchAll(/^# TYPE (\S+) (\w+)/gm)].flatMap(([, name = '', type]) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
}

async function routerPage(): Promise<string> {
  const router = await startRouter({
    ...{
      port: 0,
      engines: [],
      log: createLogger({ stream: process.stderr, level: 'critical', format: 'text' }),
    },
    admission: { queueTimeout: 1, maxQueuedRequests: 1, saturationWait: 1, holdTimeout: 0 },
  });
  try {
    return await (await fetch(`${router.url}/metrics`)).text();
  } finally {
    await router.close(0);
  }
}

/** The page of an embedded engine with offload; its own tests hold it to recorded pages of a real vLLM. */
function enginePage(): string {
  const config = defaultEngineConfig({ maxModelLen: 1024, numGpuBlocks: 40, blockSize: 32 });
  const offload = nativeOffloadConfig({
    ...{ hostBytes: 2 ** 30, blockBytesPerGpu: 2 ** 20, link: { bytesPerSecond: 1e9 } },
  });
  return new EngineMetrics(
    {
      ...{ model: 'm', config, cost: { stepSeconds: () => 1 }, tokenizer: {} as Tokenizer },
      tier: { connector: 'OffloadingConnector', config: offload, selfDescribingKvEvents: false },
    },
    'm',
    () => 0,
  ).render();
}

const lmcachePage = readFileSync(
  join(import.meta.dirname, '../../src/core/observability/fixtures/lmcache-metrics.txt'),
  'utf8',
);

/** All names that a query may read. */
async function exportedNames(): Promise<ReadonlySet<string>> {
  const pages = [await routerPage(), enginePage(), lmcachePage];
  return new Set([
    ...pages.flatMap(seriesNames),
    ...[...Object.values(planSeries), ...ofPrometheus, ...ofOldEngines],
  ]);
}

test('every metric that a dashboard reads is exported', async () => {
  const known = await exportedNames();
  const unknown = dashboards.flatMap(({ name, rows }) =>
    rows.flatMap(({ panels }) =>
      panels.flatMap(({ title, queries }) =>
        Object.values(queries)
          .flatMap(metricNames)
          .filter((metric) => !known.has(metric))
          .map((metric) => `${name}: ${title}: ${metric}`),
      ),
    ),
  );
  assert.deepEqual(unknown, []);
});

test('every metric that a rule reads is exported, or recorded by a rule', async () => {
  const known = new Set([...(await exportedNames()), ...recorded]);
  const unknown = rules.flatMap(({ name, expression }) =>
    metricNames(expression(plainScope))
      .filter((metric) => !known.has(metric))
      .map((metric) => `${name}: ${metric}`),
  );
  assert.deepEqual(unknown, []);
});

test('every alert has a case in which it fires and one in which it does not', () => {
  const casesOf = (name: string) => cases.filter((one) => 'alert' in one && one.alert === name);
  for (const { name } of alerts) {
    const own = casesOf(name).flatMap((one) => ('alert' in one ? [one] : []));
    assert.ok(
      own.some(({ firesAt }) => firesAt !== undefined),
      `${name} never fires in src/core/observability/rule-cases`,
    );
    assert.ok(
      own.some(({ silentAt }) => silentAt.length > 0),
      `${name} is never silent in src/core/observability/rule-cases`,
    );
  }
});

test('every recorded series has a case; of one in several windows, one of them', () => {
  const withoutWindow = (name: string) => name.replace(/\d+[mhd]$/, '');
  const tested = new Set(
    cases.flatMap((one) => ('recording' in one ? [withoutWindow(one.recording)] : [])),
  );
  const untested = recorded.filter((name) => !tested.has(withoutWindow(name)));
  assert.deepEqual(untested, []);
});

test('every alert has a runbook of its own and a dashboard', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/guide/alerts.md'), 'utf8');
  const sections = [...page.matchAll(/^## (.+)$/gm)].map(([, title = '']) => title);
  assert.deepEqual(sections.toSorted(), alerts.map(({ name }) => name).toSorted());
  for (const { name, dashboard } of alerts) {
    assert.match(runbookAnchor({ name }), /^[a-z]+$/);
    assert.ok(
      dashboards.some((one) => one.name === dashboard),
      `${name}: ${dashboard}`,
    );
  }
});
