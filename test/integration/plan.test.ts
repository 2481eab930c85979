// `spillway plan` as scripts call it: input by file and by flags, exit status, and the files it writes.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parse } from 'yaml';
import { version } from '../../src/core/base/index.ts';
import { embeddedEngineFlags } from '../../src/core/launch/index.ts';
import { offloadChoices, planInputKeys, rules } from '../../src/core/plan/index.ts';
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
      { maxBuffer: 64 << 20, timeout: 300_000 },
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
  assert.deepEqual([made.decision.stack, made.decision.kvOffload], ['production-stack', 'none']);
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
    ['none', 'fewer-than-two-engines', true],
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
  assert.equal(values.routerSpec.routingLogic, 'predictive');
  const ports = { http: 1, kvEvents: 2, kvReplay: 3 };
  const flags = embeddedEngineFlags(spec, ports, values.cacheserverSpec).join(' ');
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

test('names of a GPU and of a model are text on the page, whatever they are', async () => {
  const folder = join(directory, '<script>model');
  mkdirSync(folder);
  const shape = {
    ...{ model_type: 'qwen3', hidden_size: 4096, intermediate_size: 12_288, vocab_size: 151_936 },
    ...{ num_attention_heads: 32, num_key_value_heads: 8, head_dim: 128, num_hidden_layers: 36 },
    ...{ tie_word_embeddings: false, max_position_embeddings: 40_960 },
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(shape));
  const gpu = '{name: "<script>gpu", memory_gib: 80, tflops: 900, memory_gb_per_second: 3000}';
  const file = join(directory, 'named.html');
  const { code, errors } = await plan(...small, '--gpu', gpu, '--model', folder, '--html', file);
  assert.deepEqual([code, errors], [0, '']);
  const html = readFileSync(file, 'utf8');
  assert.match(html, /&lt;script&gt;gpu/);
  assert.match(html, /&lt;script&gt;model/);
  assert.doesNotMatch(html, /<script/);
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

test('the decider is printed as a skill file with its metadata, from the rules that decide', async () => {
  const { code, out } = await plan('--skill');
  assert.equal(code, 0);
  const [, front = '', text = ''] = out.split('---\n');
  const metadata = parse(front);
  assert.deepEqual(Object.keys(metadata), [
    ...['name', 'title', 'description', 'version', 'phase', 'lesson'],
    ...['category', 'audience', 'tags'],
  ]);
  assert.equal(metadata.version, version);
  assert.deepEqual(
    [metadata.name, metadata.phase, metadata.lesson, metadata.category],
    ['vllm-stack-decider', 17, 18, 'vllm-stack-decider'],
  );
  for (const tag of ['vllm', 'production-stack', 'lmcache', 'kv-offload', 'connector-api']) {
    assert.ok(metadata.tags.includes(tag), tag);
  }
  assert.ok(metadata.title.length > 0 && metadata.audience.length > 0);
  assert.equal(readFileSync('outputs/skill-vllm-stack-decider.md', 'utf8'), out);
  for (const { id, says } of rules) assert.ok(text.includes(`**${id}**`) && text.includes(says));
  for (const { says } of offloadChoices) assert.ok(text.includes(says));
  for (const { path } of planInputKeys()) {
    if (path[0] !== 'thresholds') assert.ok(text.includes(`\`${path.join('.')}\``), path.join('.'));
  }
  assert.match(text.trimEnd(), /spillway gate --prometheus URL --window 24h --max 0\.92`\.$/);
});
