// `spillway plan --profile`: step times of a measured engine.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { decidePlan } from './decide-plan.ts';
import { gateShell } from './gate-line.ts';
import { planValues } from './index.ts';
import { stepTimesText } from './sections.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-plan-profile-'));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const errors = { measurements: 9, median: 0, p90: 0, bias: 0 };
const profile = file(
  'slow.json',
  JSON.stringify({
    ...{ spillway_profile: 1, model: 'Qwen/Qwen3-8B', gpu: 'H100-80GB', tensor_parallel_size: 1 },
    constants: {
      ...{ host_seconds_per_step: 0.2, matrix_share: 0.5, attention_share: 0.5 },
      ...{ weight_memory_share: 0.7, kv_memory_share: 0.7, request_seconds: 0.0001 },
    },
    fit: { sources: [], decided: {}, before: errors, fitted: errors },
  }),
);

const decided = (text: string, given: string | undefined) =>
  decidePlan({
    ...{ file: file('input.yaml', text), overrides: [], trace: undefined, prometheus: undefined },
    ...{ seed: 1, profile: given },
  });

const load = {
  ...{ sequences: 1, tokens: 1, prefillTokens: 0, prefillTokenContext: 0, prefillTokensSquared: 0 },
  ...{ decodeSequences: 1, decodeContextTokens: 100 },
};

test('a plan takes the constants of a measured engine, and says whose they are', async () => {
  const text = 'fleet: {engines: 2, gpu: H100-80GB, model: Qwen/Qwen3-32B, gpusPerEngine: 2}\n';
  const measured = await decided(text, profile);
  const shipped = await decided(text, undefined);
  assert.ok(measured.layout.cost.stepSeconds(load) > 0.2);
  assert.ok(shipped.layout.cost.stepSeconds(load) < 0.1);
  assert.equal(
    stepTimesText(measured.layout),
    'GPU H100-80GB: constants of the measured engine (--profile).',
  );
  assert.match(stepTimesText(shipped.layout), /^GPU H100-80GB: fitted/);
  const note = measured.assumptions.find(({ key }) => key === '--profile');
  assert.match(note?.because ?? '', /measured with Qwen\/Qwen3-8B on 1 × H100-80GB/);
  assert.equal(
    shipped.assumptions.find(({ key }) => key === '--profile'),
    undefined,
  );
});

test('a folder of step tables, and a file that is none, are refused in a sentence', async () => {
  const text = 'fleet: {engines: 2}\n';
  await assert.rejects(decided(text, directory), /accepts a .json file from spillway calibrate/);
  await assert.rejects(decided(text, file('x.json', '{}')), /x\.json: .*spillway calibrate/);
  await assert.rejects(decided(text, join(directory, 'none.json')), /none\.json: no such file/);
});

test('the values file of a plan with measured step times names their file', async () => {
  const text = 'fleet: {engines: 2, gpu: H100-80GB, model: Qwen/Qwen3-8B}\n';
  assert.ok(planValues(await decided(text, profile)).includes(`profile: ${profile}`));
  assert.doesNotMatch(planValues(await decided(text, undefined)), /profile:/);
});

test('the gate asks the Prometheus that the plan asked, without its password', () => {
  const thresholds = { hbmUtilization: 0.92 } as Parameters<typeof gateShell>[0]['thresholds'];
  const command = (prometheusUrl?: string) => gateShell({ thresholds, prometheusUrl });
  assert.match(command(), /--prometheus http:\/\/127\.0\.0\.1:9090 /);
  assert.match(command('http://prom:90/x'), /--prometheus http:\/\/prom:90\/x /);
  assert.match(command('http://me:secret@prom:90/x'), /--prometheus http:\/\/prom:90\/x /);
});
