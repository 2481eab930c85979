// Every query of every panel and rule, run by a real Prometheus that `spillway up` started for a stack with traffic: each
// returns data, but for those that are listed here with a reason. So do the queries of upstream's dashboards.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  alertRules,
  dashboards,
  filledIn,
  metricNames,
  plainScope,
  recordingRules,
} from '../../../src/core/observability/index.ts';
import { UpProcess } from '../../support/up-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-queries-'));
const model = 'Qwen/Qwen3-8B';
const rateInterval = '2m';
let up: UpProcess;
let prometheus = '';

/** Values of the dashboards' variables: of those that are numbers, the defaults. */
const variables = {
  ...Object.fromEntries(
    dashboards.flatMap(({ variables: list = [] }) =>
      list.flatMap((variable) =>
        variable.kind === 'number' ? [[variable.name, String(variable.value)]] : [],
      ),
    ),
  ),
  model_name: model,
};

/** Queries without data in this stack, by a part of their expression. */
const emptyHere: readonly (readonly [part: RegExp, why: string])[] = [
  [/\blmcache:/, 'embedded engines have no LMCache; its metrics are those of a real one'],
  [/spillway_plan/, 'the figures of a plan come with the rules that spillway plan writes'],
  [/container_(cpu|memory)/, 'cAdvisor of a cluster has them'],
  [/kube_/, 'kube-state-metrics of a cluster has them'],
  [/spillway_router_untokenized_prompts/, 'the router has the tokenizer of this model'],
  [/spillway_router_deadlines_expired/, 'no deadline passes'],
  [/spillway_router_hedges/, 'a saturated fleet gets no hedges'],
  [/vllm:kv_offload_allocation_failure/, 'the host memory of the engines has room'],
  [/vllm:gpu_cache_usage_perc/, 'the name of vLLM before 0.10, which rules read too'],
];

/** The same for upstream's dashboards. */
const emptyOfUpstream: readonly (readonly [part: RegExp, why: string])[] = [
  [/\blmcache:/, 'embedded engines have no LMCache'],
  [/endpoint=\\?"service-port/, 'the label is the port of a ServiceMonitor'],
  [/vllm:gpu_prefix_cache_/, 'vLLM 0.32 and upstream name them vllm:prefix_cache_…'],
  [
    /router_(cpu|memory|disk)_usage_percent/,
    'gauges of upstream’s router about its machine; ours has process_cpu_seconds_total and process_resident_memory_bytes',
  ],
];

before(async () => {
  const values = join(directory, 'values.yaml');
  writeFileSync(
    values,
    `servingEngineSpec:
  modelSpec:
    - name: e
      kind: embedded
      modelURL: ${model}
      replicaCount: 2
      vllmConfig:
        maxModelLen: 4096
        maxNumSeqs: 4
        kvEvents: true
        extraArgs: [--num-gpu-blocks-override=300, --kv-offloading-size=2, --enable-prompt-tokens-details]
routerSpec:
  routingLogic: predictive
  admission: { queueTimeout: 30, saturationWait: 0.1 }
  hedging: { budget: 10 }
spillway:
  observability: { prometheus: true, prometheusPort: 0, scrapeSeconds: 1 }
`,
  );
  up = await UpProcess.start(['-f', values, '--json']);
  await up.ready();
  prometheus = String(up.events.find(({ event }) => event === 'ready')?.['prometheus']);
  assert.match(prometheus, /^http/);
  await traffic();
});

after(async () => {
  await up?.end('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

/** More than the engines have places for, long enough that rates have several scrapes; one engine dies within a stream. */
async function traffic(): Promise<void> {
  const body = (index: number, stream: boolean) =>
    JSON.stringify({
      ...{ model, max_tokens: 40, stream },
      ...(stream && { stream_options: { include_usage: true } }),
      messages: [{ role: 'user', content: `${`topic ${index % 12} `.repeat(400)} ${index}` }],
    });
  const post = async (text: string) => {
    const headers = { 'content-type': 'application/json' };
    const url = `${up.url}/v1/chat/completions`;
    const response = await fetch(url, { method: 'POST', headers, body: text });
    killUnder(response);
    await response.text();
  };
  const startMs = performance.now();
  const until = startMs + 25_000;
  let isKilled = false;
  /** Kills an engine whose stream has just begun, so that a stream moves, however fast the machine is. */
  const killUnder = ({ headers }: Response) => {
    const isStream = headers.get('content-type')?.startsWith('text/event-stream') === true;
    const isOfFirst = headers.get('x-spillway-engine-name') === 'e-1';
    if (isKilled || !isStream || !isOfFirst || performance.now() < startMs + 12_000) return;
    const pid = up.pids.get('e-1');
    assert.ok(pid !== undefined);
    isKilled = true;
    process.kill(pid, 'SIGKILL');
  };
  const client = async (offset: number) => {
    for (let i = offset; performance.now() < until; i += 16) await post(body(i, i % 4 !== 0));
  };
  await Promise.all([
    ...Array.from({ length: 16 }, (_, i) => client(i)),
    post(JSON.stringify({ model: 'unknown', messages: [] })),
  ]);
  assert.ok(isKilled);
  // One recorded series has a sample for each whole minute.
  await pause(60_000 - (Date.now() % 60_000) + 2_000);
}

/** Series of an instant query with at least one number. */
async function hasData(expression: string): Promise<boolean> {
  const url = `${prometheus}/api/v1/query?${new URLSearchParams({ query: expression })}`;
  const answer = (await (await fetch(url)).json()) as {
    readonly status: string;
    readonly error?: string;
    readonly data?: { readonly resultType: string; readonly result: readonly Sample[] };
  };
  assert.equal(answer.status, 'success', `${expression}: ${answer.error}`);
  const { resultType, result = [] } = answer.data ?? { resultType: '' };
  if (resultType === 'scalar') return true;
  return result.some(({ value }) => value !== undefined && value[1] !== 'NaN');
}

interface Sample {
  readonly value?: readonly [at: number, value: string];
}

async function emptyAmong(
  expressions: readonly string[],
  known: readonly (readonly [part: RegExp, why: string])[],
): Promise<{ readonly unexpected: string[]; readonly listed: string[] }> {
  const [unexpected, listed]: [string[], string[]] = [[], []];
  for (const expression of new Set(expressions)) {
    if (await hasData(filledIn(expression, { rateInterval, values: variables }))) {
      continue;
    }
    const reason = known.find(([part]) => part.test(expression))?.[1];
    if (reason === undefined) unexpected.push(expression);
    else listed.push(`${expression}: ${reason}`);
  }
  return { unexpected, listed };
}

test('each query of each panel returns data', async (t) => {
  const expressions = dashboards.flatMap(({ rows }) =>
    rows.flatMap(({ panels }) => panels.flatMap(({ queries }) => Object.values(queries))),
  );
  const { unexpected, listed } = await emptyAmong(expressions, emptyHere);
  t.diagnostic(`${new Set(expressions).size} queries, ${listed.length} empty for a listed reason`);
  assert.deepEqual(unexpected, []);
});

test('each metric that a rule reads is there, and what is recorded has values', async () => {
  const rules = [...alertRules, ...recordingRules].flatMap((group) => group.rules);
  const recorded = rules.filter(({ kind }) => kind === 'recording');
  const names = new Set(rules.flatMap((rule) => metricNames(rule.expression(plainScope))));
  // An alert that does not fire returns nothing, so its metrics are asked for; a recorded series may be a minute old.
  for (const { name } of recorded) names.delete(name);
  const expressions = [...names, ...recorded.map((rule) => rule.expression(plainScope))];
  assert.ok(expressions.length > 20);
  const { unexpected } = await emptyAmong(expressions, emptyHere);
  assert.deepEqual(unexpected, []);
});

test('upstream’s dashboards, unchanged, show data but for the listed queries', async (t) => {
  const folder = join(import.meta.dirname, 'upstream');
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  assert.equal(files.length, 3);
  const expressions = files.flatMap((name) => {
    const found = readFileSync(join(folder, name), 'utf8').matchAll(/"expr": ("(?:[^"\\]|\\.)*")/g);
    return [...found].map(([, text = '""']) => JSON.parse(text) as string);
  });
  const { unexpected, listed } = await emptyAmong(expressions, emptyOfUpstream);
  for (const line of listed) t.diagnostic(`empty: ${line}`);
  assert.deepEqual(unexpected, []);
});
