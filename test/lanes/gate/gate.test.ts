// `spillway gate` against a real Prometheus with a backfilled past.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Backfill, backfilledPrometheus } from './backfilled-prometheus.ts';

const day = 86_400;
const intervalSeconds = 30;
const samples = day / intervalSeconds;
/**
 * A whole day that ended two hours ago, so that the server's current time is not the end of the
 * window.
 */
const end = Math.floor(Date.now() / 1000 / 3600) * 3600 - 7200;
const at = new Date(end * 1000).toISOString();

const usage = (
  fleet: string,
  instance: string,
  valueAt: Backfill['valueAt'],
  metric = 'vllm:kv_cache_usage_perc',
): Backfill => ({ metric, labels: { fleet, instance, engine: '0', model_name: 'm' }, valueAt });

/** A calm day with a busy afternoon. */
const calm = (index: number): number => 0.35 + 0.3 * Math.sin((Math.PI * index) / samples) ** 4;

const series: Backfill[] = [
  ...['a:8000', 'b:8000'].map((instance) => usage('calm', instance, calm)),
  ...Array.from({ length: 30 }, (_, n) => usage('hidden', `cool-${n}:8000`, calm)),
  usage('hidden', 'hot:8000', (index) => (index % 40 === 0 ? 0.98 : 0.5)),
  usage('gaps', 'a:8000', calm),
  usage('gaps', 'gone:8000', (index) => (index > 1200 && index < 1700 ? undefined : calm(index))),
  usage('old', 'a:8000', calm, 'vllm:gpu_cache_usage_perc'),
  usage('upgraded', 'a:8000', (i) => (i < 1000 ? calm(i) : undefined), 'vllm:gpu_cache_usage_perc'),
  usage('upgraded', 'a:8000', (i) => (i < 1000 ? undefined : calm(i))),
  {
    metric: 'vllm:prompt_tokens_total',
    labels: { fleet: 'upgraded', instance: 'a:8000', engine: '0', model_name: 'm' },
    valueAt: (index) => (index % 1000) * 10 + 5,
  },
];

let prometheus: Awaited<ReturnType<typeof backfilledPrometheus>>;
before(async () => {
  prometheus = await backfilledPrometheus({ series, start: end - day, intervalSeconds, samples });
});
after(() => prometheus.close());

function gate(...args: string[]): Promise<{ code: number; out: string; errors: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['src/cli/main.ts', 'gate', '--prometheus', prometheus.url, ...args],
      { maxBuffer: 64 << 20, timeout: 60_000 },
      (error, out, errors) => resolve({ code: Number(error?.code ?? 0), out, errors }),
    );
  });
}

const fleet = (name: string) => ['--selector', `fleet="${name}"`, '--at', at];

test('a calm fleet passes, and the P99 equals the one that Prometheus computes', async () => {
  const { code, out, errors } = await gate(...fleet('calm'), '--json');
  assert.deepEqual([code, errors], [0, '']);
  const { verdict, engines, interval_seconds, window } = JSON.parse(out);
  assert.deepEqual([verdict, interval_seconds, window.seconds], ['pass', 30, day]);
  const query = new URLSearchParams({
    query: 'quantile_over_time(0.99, vllm:kv_cache_usage_perc{fleet="calm",instance="a:8000"}[1d])',
    time: String(end),
  });
  const answer = await fetch(`${prometheus.url}/api/v1/query?${query}`);
  const { data } = (await answer.json()) as {
    data: { result: { value: [number, string] }[] };
  };
  const theirs = data.result[0]?.value[1];
  assert.ok(Math.abs(engines[0].p99 - Number(theirs)) < 1e-9, `${engines[0].p99} and ${theirs}`);
  assert.deepEqual(engines[0].gaps, []);
});

test('one engine over the limit fails the gate, even if the fleet’s P99 is below it', async () => {
  const { code, out } = await gate(...fleet('hidden'));
  assert.equal(code, 1);
  assert.match(out, /FAIL: 1 of 31 engines over 92 %: hot:8000 \(98 %\)\./);
  const { fleet: all } = JSON.parse((await gate(...fleet('hidden'), '--json')).out);
  assert.ok(all.p99 < 0.92, `the fleet's own P99 is ${all.p99}`);
});

test('a higher limit lets the same fleet pass', async () => {
  assert.equal((await gate(...fleet('hidden'), '--max', '0.99')).code, 0);
});

test('an engine with a gap of four hours gives no verdict, and the gap is named', async () => {
  const { code, out } = await gate(...fleet('gaps'));
  assert.equal(code, 4);
  assert.match(out, /no samples of gone:8000 from \S+ to \S+ \(4\.2h\)/);
  assert.match(out, /TOO LITTLE DATA: 1 of 2 engines with fewer than 90 % .*gone:8000 \(82\.7 %\)/);
});

test('a window that starts before the first sample gives no verdict', async () => {
  assert.equal((await gate(...fleet('calm'), '--window', '48h')).code, 4);
});

test('reads the old name of the metric, even if an upgrade changed it within the day', async () => {
  assert.equal((await gate(...fleet('old'))).code, 0);
  const { code, out } = await gate(...fleet('upgraded'), '--json');
  const { engines } = JSON.parse(out);
  assert.deepEqual([code, engines.length, engines[0].restarts], [0, 1, 2]);
});

test('a selection without engines gives no verdict', async () => {
  const { code, out } = await gate(...fleet('nobody'));
  assert.equal(code, 4);
  assert.match(out, /no engine reported/);
});

test('an invalid selector exits with 2 and the message of Prometheus', async () => {
  const { code, errors } = await gate('--selector', 'fleet=');
  assert.equal(code, 2);
  assert.match(errors, /^spillway: Prometheus rejected .*parse error/);
});

test('writes an SVG chart with a line for each engine', async () => {
  const file = join(tmpdir(), `spillway-gate-${process.pid}.svg`);
  await gate(...fleet('calm'), '--svg', file);
  const svg = readFileSync(file, 'utf8');
  assert.match(svg, /^<svg [^>]*viewBox/);
  assert.equal(svg.match(/<polyline/g)?.length, 2);
});
