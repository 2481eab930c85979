// `spillway plan` as scripts call it: input by file and by flags, exit status, and the files it writes.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { embeddedEngineFlags } from '../../src/apps/up/engine-flags.ts';
import { loadValues } from '../../src/io/values/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-plan-'));
after(() => rmSync(directory, { recursive: true }));

type Argument = string | { readonly stdin: string };

function plan(...all: Argument[]): Promise<{ code: number; out: string; errors: string }> {
  const args = all.filter((one) => typeof one === 'string');
  const fed = all.find((one) => typeof one === 'object');
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['src/cli/main.ts', 'plan', ...args],
      { maxBuffer: 64 << 20, timeout: 100_000 },
      (error, out, errors) => resolve({ code: Number(error?.code ?? 0), out, errors }),
    );
    child.stdin?.end(fed?.stdin ?? '');
  });
}

/** Small, so that simulating it takes a moment. */
const small = [
  ...['--prompt-tokens', '3000', '--output-tokens', '50', '--concurrency', '12'],
  ...['--prefix-reuse', 'rag', '--prefix-groups', '6', '--engines', '2', '--gpu', 'H100'],
  ...['--model', 'Qwen3-8B', '--kubernetes', 'true', '--host-dram-gib', '64'],
];

test('a plan has the six sections in order and ends with the gate', async () => {
  const { code, out, errors } = await plan(...small);
  assert.deepEqual([code, errors], [0, '']);
  assert.deepEqual(
    [...out.matchAll(/^## \d\. (.*)$/gm)].map(([, title]) => title),
    ['Stack', 'KV offload', 'HBM monitoring', 'Router', 'Observability', 'Expected impact'],
  );
  assert.match(
    out.trimEnd().split('\n').at(-1) ?? '',
    /^\*\*Gate\*\*: HBM utilization P99 .*spillway gate/,
  );
});

test('the same input and seed give the same JSON, with the keys that scripts read', async () => {
  const [one, two] = await Promise.all([plan(...small, '--json'), plan(...small, '--json')]);
  assert.equal(one.out, two.out);
  const made = JSON.parse(one.out);
  assert.deepEqual([made.decision.stack, made.decision.kvOffload], ['production-stack', 'lmcache']);
  for (const key of [
    ...['refusals', 'rejects', 'hbm', 'router', 'observability', 'impact', 'gate'],
    ...['assumptions', 'rejectedOptions'],
  ]) {
    assert.ok(key in made, key);
  }
  const { low, mean, high } = made.impact.planned.throughput;
  assert.ok(low < mean && mean < high && low > 0);
});

test('standard input is a file, too, and problems in it have their place', async () => {
  const [fed, wrong] = await Promise.all(
    [
      'workload: {promptTokens: 500, concurrency: 8}\nfleet: {engines: 2}\n',
      'fleet: {gpus: 2}\n',
    ].map((text) => plan('-f', '-', '--json', { stdin: text })),
  );
  assert.equal(JSON.parse(fed?.out ?? '').decision.kvOffload, 'none');
  assert.equal(wrong?.code, 2);
  assert.match(wrong?.errors ?? '', /^spillway: stdin:1:9: fleet\.gpus is not a known key;.*\n$/);
});

test('what was wanted and is refused ends with 3, the rule, and a plan all the same', async () => {
  const { code, out } = await plan(
    ...small,
    '--engines',
    '1',
    '--want-kv-offload',
    'lmcache',
    '--json',
  );
  const made = JSON.parse(out);
  assert.equal(code, 3);
  assert.deepEqual(
    [made.decision.kvOffload, made.refusals[0].rule, made.refusals[0].wanted],
    ['native', 'fewer-than-two-engines', true],
  );
});

test('the values file carries the plan out: it is valid, and gives the flags that the page names', async () => {
  const file = join(directory, 'values.yaml');
  const { out } = await plan(...small, '--values', file, '--json');
  const { sizing } = JSON.parse(out);
  const values = await loadValues({ files: [file] });
  const [spec] = values.servingEngineSpec.modelSpec;
  assert.ok(spec);
  assert.equal(spec.replicaCount, 2);
  assert.equal(values.routerSpec.routingLogic, 'kvaware');
  const flags = embeddedEngineFlags(spec, { http: 1, kvEvents: 2, kvReplay: 3 }).join(' ');
  assert.match(flags, /--kv-events-config \{"enable_kv_cache_events":true,"publisher":"zmq"/);
  assert.match(flags, new RegExp(`--max-model-len ${sizing.maxModelLen} `));
  assert.match(flags, new RegExp(`--max-num-seqs ${sizing.maxNumSeqs} `));
});

test('the page is one HTML document with pictures and nothing from elsewhere', async () => {
  const file = join(directory, 'plan.html');
  await plan(...small, '--html', file);
  const html = readFileSync(file, 'utf8');
  assert.equal(html.match(/<svg /g)?.length, 3);
  assert.doesNotMatch(html.replaceAll('http://www.w3.org/2000/svg', ''), /(src|href)="?https?:/);
});

test('bad input ends with 2: file, line, key, and what is allowed', async () => {
  const file = join(directory, 'bad.yaml');
  writeFileSync(file, 'workload:\n  promtTokens: 5\nfleet:\n  engines: 0\n');
  const { code, out, errors } = await plan('-f', file);
  assert.deepEqual([code, out], [2, '']);
  assert.match(
    errors,
    /bad\.yaml:2:3: workload\.promtTokens is not a known key; did you mean promptTokens\?/,
  );
  assert.match(
    errors,
    /bad\.yaml:4:12: fleet\.engines must be a whole number from 1 to 10000 or "choose", not 0\./,
  );
  assert.equal((await plan()).code, 2);
  assert.match((await plan('--model', 'Qwen3-9B')).errors, /did you mean/);
});

test('its JSON Schema is printed for editors', async () => {
  const { out } = await plan('--schema');
  const schema = JSON.parse(out);
  assert.deepEqual(schema.properties.workload.properties.prefixReuse.enum, [
    ...['none', 'system-prompt', 'rag', 'multi-turn', 'agents'],
  ]);
});
