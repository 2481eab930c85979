import assert from 'node:assert/strict';
import { basename, dirname } from 'node:path';
import { test } from 'node:test';
import { planEngines } from '../../core/launch/index.ts';
import { resolveValues } from '../../core/values/index.ts';
import { assertPrograms } from './missing-programs.ts';

const vllm = (name: string, more = '') => `{name: ${name}, kind: vllm, modelURL: m, ${more}}`;

function check(entries: readonly string[], program: string, path = ''): void {
  const text = `servingEngineSpec: {modelSpec: [${entries.join(', ')}]}
spillway: {vllmCommand: ["${program}", serve]}`;
  const { values } = resolveValues({ files: [{ name: 'f', text }] });
  assertPrograms(values, planEngines(values), { PATH: path });
}

const [folder, program] = [dirname(process.execPath), basename(process.execPath)];

test('a program that vLLM needs is found by its path or on the PATH', () => {
  check([vllm('a')], process.execPath);
  check([vllm('a')], program, `/nowhere:${folder}`);
  check([vllm('a', `env: [{name: PATH, value: "${folder}"}]`)], program);
});

test('embedded engines need no program', () => {
  check(['{name: a}'], 'no-such-vllm');
});

test('a missing program is named once, with each entry that needs it', () => {
  assert.throws(() => check([vllm('a', 'replicaCount: 2')], 'no-such-vllm'), {
    name: 'InputError',
    message:
      '"no-such-vllm" is not on the PATH, and servingEngineSpec.modelSpec "a" (kind vllm) needs it: install vLLM, or set spillway.vllmCommand to the command that starts it.',
  });
  const own = `env: [{name: PATH, value: "${folder}"}]`;
  assert.throws(
    () => check([vllm('a'), vllm('b', own), '{name: c}', vllm('d')], program),
    /is not on the PATH, and servingEngineSpec\.modelSpec "a", "d" \(kind vllm\) need it:/,
  );
  assert.throws(
    () => check([vllm('a')], '/no/such/vllm', folder),
    /^InputError: "\/no\/such\/vllm" is not a program that can be run, and /,
  );
});
