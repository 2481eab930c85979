// A real Prometheus with backfilled series, as if it had scraped them.
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** One series; undefined samples were never scraped. */
export interface Backfill {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly valueAt: (index: number) => number | undefined;
}

export interface BackfillOptions {
  readonly series: readonly Backfill[];
  /** Unix seconds of the first sample. */
  readonly start: number;
  readonly intervalSeconds: number;
  readonly samples: number;
}

/** Longest wait for the server to be ready. */
const readyDeadlineMs = 30_000;

/** @returns The server's URL, and a function that stops it and removes its data. */
export async function backfilledPrometheus(
  options: BackfillOptions,
): Promise<{ url: string; close: () => Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-gate-'));
  const data = join(directory, 'data');
  mkdirSync(data);
  const file = join(directory, 'series.om');
  writeFileSync(file, openMetrics(options));
  await promisify(execFile)('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', file, data], {
    timeout: 60_000,
  });
  const config = join(directory, 'prometheus.yml');
  writeFileSync(config, 'scrape_configs: []\n');
  const port = await freePort();
  const server = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${data}`,
      '--storage.tsdb.retention.time=10y',
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise((resolve) => server.once('exit', resolve));
  const url = `http://127.0.0.1:${port}`;
  const close = async () => {
    server.kill('SIGTERM');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await ready(url);
  } catch (error) {
    await close();
    throw error;
  }
  return { url, close };
}

function openMetrics({ series, start, intervalSeconds, samples }: BackfillOptions): string {
  const metrics = [...new Set(series.map(({ metric }) => metric))];
  const lines = metrics.flatMap((metric) => [
    `# TYPE ${metric} ${metric.endsWith('_total') ? 'unknown' : 'gauge'}`,
    ...series
      .filter((one) => one.metric === metric)
      .flatMap(({ labels, valueAt }) => {
        const text = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
        return Array.from({ length: samples }, (_, index) => {
          const value = valueAt(index);
          if (value === undefined) return [];
          return [`${metric}{${text.join(',')}} ${value} ${start + (index + 1) * intervalSeconds}`];
        }).flat();
      }),
  ]);
  return `${lines.join('\n')}\n# EOF\n`;
}

async function ready(url: string): Promise<void> {
  const deadline = performance.now() + readyDeadlineMs;
  while (performance.now() < deadline) {
    const answer = await fetch(`${url}/-/ready`).catch(() => undefined);
    if (answer?.ok) return;
    await sleep(100);
  }
  throw new Error(`Prometheus at ${url} was not ready within ${readyDeadlineMs / 1000} s`);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
