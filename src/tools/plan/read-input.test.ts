// Input of a plan from files, standard input and flags.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { planRoutings } from '../../core/plan/index.ts';
import { policyNames } from '../../core/routing/index.ts';
import { decidePlan } from './decide-plan.ts';
import { readPlanInput } from './read-input.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-plan-input-'));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const decided = (path: string, thresholdsFrom?: string) =>
  decidePlan({
    ...{ file: path, overrides: [], trace: undefined, prometheus: undefined, seed: 1 },
    thresholdsFrom,
  });

test('paths of traces are relative to the file, or to the working directory in a flag', async () => {
  const path = file('traced.yaml', 'workload: {promptTokens: {trace: here.jsonl}}\n');
  const inFile = await readPlanInput(path, []);
  assert.deepEqual(inFile.input.workload.promptTokens, { trace: join(directory, 'here.jsonl') });
  const flag = { path: ['workload', 'promptTokens'], value: { trace: 'there.jsonl' }, source: 'f' };
  const inFlag = await readPlanInput(path, [flag]);
  assert.deepEqual(inFlag.input.workload.promptTokens, { trace: 'there.jsonl' });
});

test('measurements of a trace are noted, and the file takes precedence', async () => {
  const lines = [1, 2, 3, 4].map((i) =>
    JSON.stringify({
      ...{ timestamp: i * 30_000, input_length: 1000 * i, output_length: 50 },
      hash_ids: Array.from({ length: Math.ceil((1000 * i) / 512) }, (_, j) => 100 * i + j),
    }),
  );
  file('short.jsonl', lines.join('\n'));
  const noted = async (more: string) => {
    const text = `workload: {promptTokens: {trace: short.jsonl}${more}}\nfleet: {engines: 2, gpu: H100, model: Qwen3-8B}\n`;
    const { assumptions, workload } = await decided(file('measured.yaml', text));
    const measured = assumptions.filter(({ because }) => because.startsWith('measured'));
    return { workload, notes: measured.map(({ key, value }) => `${key} ${value}`) };
  };
  const open = await noted('');
  assert.deepEqual(open.notes.slice(0, 2), [
    'workload.promptTokens mean 2500, p50 2000, p95 3000, max 4000',
    'workload.outputTokens mean 50, p50 50, p95 50, max 50',
  ]);
  assert.ok(open.notes.includes('workload.requestsPerSecond 0.0444'));
  assert.ok(open.notes.includes('workload.prefixReuse none'));
  assert.equal(open.workload.requestsPerSecond, 4 / 90);
  const given = await noted(', outputTokens: 80, requestsPerSecond: 0.01');
  assert.equal(given.workload.requestsPerSecond, 0.01);
  assert.equal(given.workload.outputTokens.mean, 80);
  assert.ok(!given.notes.some((note) => /outputTokens|PerSecond/.test(note)), `${given.notes}`);
});

test('a model may be a folder next to the file', async () => {
  mkdirSync(join(directory, 'mine'));
  file(
    'mine/config.json',
    JSON.stringify({
      ...{ model_type: 'llama', hidden_size: 4096, num_hidden_layers: 32, torch_dtype: 'bfloat16' },
      ...{ num_attention_heads: 32, num_key_value_heads: 8, intermediate_size: 14_336 },
      ...{ vocab_size: 128_256, max_position_embeddings: 131_072 },
      architectures: ['LlamaForCausalLM'],
    }),
  );
  const { layout } = await decided(file('own.yaml', 'fleet: {engines: 2, model: mine}\n'));
  assert.equal(layout.model.given, join(directory, 'mine'));
});

test('problems are one line each: file, line, key, and what is allowed', async () => {
  const table: [string, RegExp][] = [
    ['fleet:\n  engine: 8\n', /bad\.yaml:2:3: fleet\.engine is not a known key; .*engines/],
    ['fleet:\n  engines: 0\n', /bad\.yaml:2:12: fleet\.engines must be .*not 0/],
    ['workload: {prefixReuse: rga}\n', /bad\.yaml:1:25: workload\.prefixReuse .*rag/],
    [
      'workload: {promptTokens: many}\n',
      /1:26: .* 10000000, \{mean, p50, p95, max\} or \{trace\},/,
    ],
    ['workload: {prefixReuse: true}\n', /agents, not true\.$/],
    ['workload: {promptTokens: {p50: 900, p95: 500}}\n', /1:42: .*p95 is 500, less than its p50/],
    ['workload: {outputTokens: {mean: 900, max: 500}}\n', /max is 500, less than its mean of 900/],
    [
      'workload:\n  requestsPerSecond: 5\n  peakRequestsPerSecond: 4\n',
      /bad\.yaml:3:26: .*below the average of 5/,
    ],
    ['fleet: {\n', /bad\.yaml:\d+:\d+: /],
    ['[]', /bad\.yaml:1/],
  ];
  for (const [text, expected] of table) {
    await assert.rejects(readPlanInput(file('bad.yaml', text), []), expected, text);
  }
  await assert.rejects(readPlanInput(join(directory, 'none.yaml'), []), /none\.yaml: no such file/);
  await assert.rejects(readPlanInput(directory, []), /it is a folder, not a file/);
});

test('an unknown name is reported with its place', async () => {
  const table: [string, RegExp][] = [
    ['fleet:\n  model: nobody/7B\n', /^name\.yaml:2:10: fleet\.model: Model "nobody\/7B" is not/],
    ['fleet:\n  gpu: H1000\n', /^name\.yaml:2:8: fleet\.gpu: GPU "H1000" .*H100-80GB/],
    [
      'workload: {promptTokens: {trace: x.jsonl}}',
      /^name\.yaml:1:34: workload\.promptTokens\.trace: /,
    ],
  ];
  for (const [text, expected] of table) {
    await assert.rejects(decided(file('name.yaml', text)), (error: Error) => {
      assert.match(error.message.replace(`${directory}/`, ''), expected);
      return true;
    });
  }
});

test('tenants and adapters imply shared prefixes if prefixReuse is unset', async () => {
  const kind = async (rest: string) =>
    (await decided(file('open.yaml', `workload: {promptTokens: 3000}\n${rest}\n`))).facts;
  assert.equal((await kind('fleet: {engines: 2}')).prefixReuse, 'none');
  for (const rest of [
    'fleet: {engines: 2, loraAdapters: 4}',
    'fleet: {engines: 2}\noperations: {tenants: 3}',
    'fleet: {engines: 2}\noperations: {multiTenant: true}',
  ]) {
    assert.equal((await kind(rest)).prefixReuse, 'system-prompt', rest);
  }
  const said =
    'workload: {promptTokens: 3000, prefixReuse: none}\nfleet: {engines: 2, loraAdapters: 4}\n';
  assert.equal((await decided(file('said.yaml', said))).facts.prefixReuse, 'none');
});

test('each adapter has a prefix of its own, because vLLM shares no KV cache between adapters', async () => {
  const text = (workload: string) =>
    `workload: {promptTokens: 3000, ${workload}}\nfleet: {engines: 2, loraAdapters: 4}\n`;
  const one = await decided(file('adapters.yaml', text('sharedPrefixTokens: 1000')));
  assert.equal(one.workload.prefixGroups, 4);
  const notes = one.assumptions.filter(({ key }) => key === 'workload.prefixGroups');
  assert.match(notes.at(-1)?.because ?? '', /one per adapter/);
  const more = 'sharedPrefixTokens: 1000, prefixGroups: 40';
  assert.equal((await decided(file('adapters.yaml', text(more)))).workload.prefixGroups, 40);
});

test('a shared prefix longer than the prompts is cut to them, and the plan says so', async () => {
  const text = 'workload: {promptTokens: 800, prefixReuse: rag, sharedPrefixTokens: 4000}\n';
  const { assumptions, workload } = await decided(file('shared.yaml', text));
  assert.equal(workload.sharedPrefixTokens, 799);
  const note = assumptions.find(({ key }) => key === 'workload.sharedPrefixTokens');
  assert.deepEqual(
    [note?.value, note?.because],
    ['799', '4000 is more than the mean prompt length'],
  );
});

test('prefixReuse none takes precedence over sharedPrefixTokens', async () => {
  const made = await decided(
    file(
      'none.yaml',
      'workload: {promptTokens: 6000, concurrency: 200, prefixReuse: none, sharedPrefixTokens: 4000}\n' +
        'fleet: {engines: 8}\nwants: {kvOffload: lmcache}\noperations: {multiTenant: true}\n',
    ),
  );
  assert.deepEqual(
    made.decision.rejects.map(({ rule }) => rule),
    ['lmcache-without-reuse-or-preemption'],
  );
  assert.notEqual(made.decision.kvOffload, 'lmcache');
  const note = made.assumptions.find(({ key }) => key === 'workload.sharedPrefixTokens');
  assert.deepEqual([note?.value, note?.because], ['0', 'prefixReuse is none']);
});

test('no groups of prompts share nothing', async () => {
  const made = await decided(
    file(
      'groups.yaml',
      'workload: {promptTokens: 6000, concurrency: 20, prefixReuse: rag, prefixGroups: 0}\nfleet: {engines: 8}\n',
    ),
  );
  const note = made.assumptions.find(({ key }) => key === 'workload.prefixReuse');
  assert.deepEqual([note?.value, note?.because], ['none', 'prefixGroups is 0']);
  assert.equal(
    made.assumptions.some(({ key }) => key === 'workload.prefixGroups'),
    false,
  );
});

test('thresholds of the input take precedence over those of a values file, and the plan names both', async () => {
  const values = file(
    'values.yaml',
    'spillway: {thresholds: {offloadPromptTokens: 8000, hbmUtilization: 0.9}}\n',
  );
  const workload =
    'workload: {promptTokens: 6000, concurrency: 50, prefixReuse: rag}\nfleet: {engines: 2}\n';
  const path = file('plain.yaml', workload);
  const isShort = ({ decision }: Awaited<ReturnType<typeof decided>>) =>
    decision.refusals.some(({ rule }) => rule === 'short-prompts-low-concurrency');
  assert.equal(isShort(await decided(path)), false);
  const made = await decided(path, values);
  assert.equal(isShort(made), true);
  assert.deepEqual(
    made.assumptions
      .filter(({ key }) => key === 'thresholds')
      .map(({ value, because }) => [value, because]),
    [
      ['offloadPromptTokens 8000 instead of 1000', `set by spillway.thresholds of ${values}`],
      ['hbmUtilization 0.9 instead of 0.92', `set by spillway.thresholds of ${values}`],
    ],
  );
  const own = file('own-thresholds.yaml', `${workload}thresholds: {offloadPromptTokens: 1000}\n`);
  assert.equal(isShort(await decided(own, values)), false);
  await assert.rejects(
    decided(path, file('bad-values.yaml', 'spillway: {thresholds: {hbm: 1}}\n')),
    /bad-values\.yaml:1:\d+: spillway\.thresholds\.hbm is not a known key/,
  );
});

test('operations.routing accepts every policy of the router, and llm-d', () => {
  assert.deepEqual(new Set(planRoutings), new Set([...policyNames, 'llm-d']));
});
