// Dashboards read only metrics that something exports: our router, the embedded engine, which has all of vLLM's, or LMCache.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { EngineMetrics } from '../../src/apps/engine/metrics/engine-metrics.ts';
import { startRouter } from '../../src/apps/router/index.ts';
import { defaultEngineConfig, nativeOffloadConfig } from '../../src/core/engine/index.ts';
import { dashboards, metricNames, planSeries } from '../../src/core/observability/index.ts';
import type { Tokenizer } from '../../src/core/tokenizer/index.ts';
import { createLogger } from '../../src/io/log/index.ts';

/** What Prometheus itself adds. */
const ofPrometheus = ['up'];

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
    admission: { queueTimeout: 1, maxQueuedRequests: 1, saturationWait: 1 },
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

test('every metric that a dashboard reads is exported', async () => {
  const pages = [await routerPage(), enginePage(), lmcachePage];
  const known = new Set([
    ...pages.flatMap(seriesNames),
    ...Object.values(planSeries),
    ...ofPrometheus,
  ]);
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
