// Prometheus, unmodified, scrapes two embedded engines and the router before them; promtool checks
// their pages. lane.sh sets PROMETHEUS_BIN to the folder with both.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import {
  directory,
  type Engine,
  type Program,
  startEngine,
  startProgram,
  startSpillwayRouter,
} from './programs.ts';

const model = 'Qwen/Qwen3-8B';
const bin = process.env['PROMETHEUS_BIN'] ?? '';
const skip = existsSync(join(bin, 'prometheus'))
  ? false
  : 'no prometheus on PATH, and apt-get could not download it';

let engines: readonly Engine[] = [];
let router: Program;
let prometheus: Program;

before(async () => {
  if (skip) return;
  engines = await Promise.all([startEngine([model]), startEngine([model])]);
  router = await startSpillwayRouter(engines, { flags: ['--routing-logic', 'roundrobin'] });
  prometheus = await startPrometheus();
  for (let i = 0; i < requests; i++) await complete(router.url);
});

/** Known traffic, half of it to each engine. */
const requests = 4;
const promptTokens = 100;
const outputTokens = 7;

test('Prometheus reports engines and router as up', { skip }, async () => {
  await becomes('count(up == 1)', 3);
});

test('its queries of the engines return the known traffic', { skip }, async () => {
  await becomes('sum(vllm:generation_tokens_total{job="engines"})', requests * outputTokens);
  await becomes('sum(vllm:prompt_tokens_total{job="engines"})', requests * promptTokens);
  await becomes('sum(vllm:request_success_total{finished_reason="length"})', requests);
  await becomes('sum(vllm:num_requests_running{job="engines"})', 0);
  await becomes('min(vllm:e2e_request_latency_seconds_count)', requests / 2);
  await becomes('count(vllm:cache_config_info{block_size="16"} == 1)', 2);
  await becomes(`count(vllm:generation_tokens_total{model_name="${model}", engine="0"})`, 2);
});

test('a quantile of its histograms is the latency of the engine model', {
  skip,
}, async () => {
  // On an H100 a prompt of 100 tokens takes about 10 ms; the bucket bounds are vLLM's.
  const quantile = 'histogram_quantile(0.9, sum by (le) (vllm:time_to_first_token_seconds_bucket))';
  const seconds = await query(quantile);
  assert.ok(seconds > 0.001 && seconds < 0.1, `TTFT ${seconds} s`);
});

test('its queries of the router return the same traffic', { skip }, async () => {
  await becomes('sum(spillway_router_requests_total{outcome="completed"})', requests);
  await becomes('sum(vllm:healthy_pods_total)', 2);
});

test('promtool reports nothing about an engine’s page that it does not report about a real vLLM’s', {
  skip,
}, async () => {
  // The recorded page has the series without values.
  const fixture = readFileSync('src/apps/engine/fixtures/metrics-fresh.txt', 'utf8');
  const real = fixture.replace(/^([^#\n].*)$/gm, '$1 0');
  const known = new Set(await lint(real));
  assert.ok(known.has("vllm:num_requests_running metric names should not contain ':'"));
  const page = await (await fetch(`${engines[0]?.url}/metrics`)).text();
  const ours = (await lint(page)).filter((line) => !known.has(line));
  // Real vLLM writes the creation time of a counter only after its first increment, so it is not on
  // that page.
  const unknown = ours.filter(
    (line) => !/_created metric names should not contain ':'$/.test(line),
  );
  // Our own metrics are named as vLLM names its metrics, with a colon.
  assert.deepEqual(unknown, [
    "spillway:engine_lag_seconds metric names should not contain ':'",
    "spillway:recomputed_tokens_total metric names should not contain ':'",
  ]);
});

test('promtool reports nothing about the router’s page except names chosen by upstream', {
  skip,
}, async () => {
  const lines = await lint(await (await fetch(`${router.url}/metrics`)).text());
  assert.deepEqual(
    lines.filter((line) => !line.startsWith('vllm:')),
    [],
  );
});

test('Prometheus reports a killed engine as down, in its own scrape and in the router’s metrics', {
  skip,
}, async () => {
  await engines[1]?.stop('SIGKILL');
  await becomes('count(up == 0)', 1);
  await becomes('sum(vllm:healthy_pods_total)', 1);
});

/** Waits until an instant query returns this value; scrapes happen once per second. */
async function becomes(expression: string, value: number): Promise<void> {
  const deadline = performance.now() + 30_000;
  let seen = await query(expression);
  while (seen !== value) {
    assert.ok(performance.now() < deadline, `${expression} is ${seen}, not ${value}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    seen = await query(expression);
  }
}

/** Returns the value of an expression with one result; NaN without a result. */
async function query(expression: string): Promise<number> {
  const url = `${prometheus.url}/api/v1/query?query=${encodeURIComponent(expression)}`;
  const answer = (await (await fetch(url)).json()) as {
    readonly status: string;
    readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
  };
  assert.equal(answer.status, 'success', JSON.stringify(answer));
  assert.ok(answer.data.result.length <= 1, JSON.stringify(answer));
  return Number(answer.data.result[0]?.value[1] ?? Number.NaN);
}

/** Returns the output of `promtool check metrics` for a page, which it must be able to parse. */
function lint(page: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const args = ['check', 'metrics'];
    const child = execFile(join(bin, 'promtool'), args, (_error, _stdout, stderr) => {
      const lines = stderr.split('\n').filter((line) => line !== '');
      const broken = lines.find((line) => /error while linting/.test(line));
      if (broken === undefined) resolve(lines);
      else reject(new Error(broken));
    });
    child.stdin?.end(page);
  });
}

async function complete(url: string): Promise<void> {
  const prompt = Array.from({ length: promptTokens }, (_, i) => 1000 + i);
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, prompt, max_tokens: outputTokens }),
  });
  assert.equal(response.status, 200);
  await response.arrayBuffer();
}

function startPrometheus(): Promise<Program> {
  const target = ({ url }: Program) => url.slice('http://'.length);
  const job = (name: string, programs: readonly Program[]) => ({
    job_name: name,
    static_configs: [{ targets: programs.map(target) }],
  });
  const configuration = join(directory, 'prometheus.json');
  // JSON is YAML.
  writeFileSync(
    configuration,
    JSON.stringify({
      global: { scrape_interval: '1s', scrape_timeout: '1s' },
      scrape_configs: [job('engines', engines), job('router', [router])],
    }),
  );
  return startProgram({
    name: 'prometheus',
    readyPath: '/-/ready',
    command: (port) => [
      ...[join(bin, 'prometheus'), `--config.file=${configuration}`],
      ...[`--storage.tsdb.path=${join(directory, 'prometheus')}`],
      `--web.listen-address=127.0.0.1:${port}`,
    ],
  });
}
