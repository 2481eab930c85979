import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveValues } from '../values/index.ts';
import { planEngines, processGroups, servedModel } from './engine-plan.ts';

const valuesOf = (entries: string, rest = '') =>
  resolveValues({
    files: [{ name: 'f', text: `servingEngineSpec: {modelSpec: [${entries}]}\n${rest}` }],
  }).values;

test('each replica is an engine, numbered where there are several', () => {
  const plans = planEngines(
    valuesOf('{name: a, kind: embedded, replicaCount: 2}, {name: b, kind: embedded}'),
  );
  assert.deepEqual(
    plans.map(({ name, kind, model }) => [name, kind, model]),
    [
      ['a-1', 'embedded', 'a'],
      ['a-2', 'embedded', 'a'],
      ['b', 'embedded', 'b'],
    ],
  );
});

test('running engines are used by their URLs, without a trailing slash', () => {
  const plans = planEngines(
    valuesOf('{name: far, urls: ["http://x/", "http://y//"], modelURL: m}'),
  );
  assert.deepEqual(plans, [
    { kind: 'url', name: 'far-1', url: 'http://x', model: 'm' },
    { kind: 'url', name: 'far-2', url: 'http://y', model: 'm' },
  ]);
});

test('disabled entries do not run, and files without engines are refused', () => {
  const off = '{name: a, kind: embedded}, {name: b, kind: embedded, enabled: false}';
  assert.deepEqual(
    planEngines(valuesOf(off)).map(({ name }) => name),
    ['a'],
  );
  assert.throws(() => planEngines(valuesOf('')), /there is no engine to run/);
  assert.throws(
    () => planEngines(valuesOf('{name: v, kind: vllm}')),
    /"v" is of kind vllm and lacks modelURL/,
  );
});

test('a model is called by its served name, else by its URL, else by its entry', () => {
  const nameOf = (keys: string) => {
    const [spec] = valuesOf(`{name: a, ${keys}}`).servingEngineSpec.modelSpec;
    assert.ok(spec);
    return servedModel(spec);
  };
  assert.equal(nameOf('kind: embedded'), 'a');
  assert.equal(nameOf('modelURL: Qwen/Qwen3-8B'), 'Qwen/Qwen3-8B');
  const served = 'vllmConfig: {extraArgs: [--served-model-name, first, second]}';
  assert.equal(nameOf(`modelURL: Qwen/Qwen3-8B, ${served}`), 'first');
});

test('engines of one entry share a process where the values say so, and no others do', () => {
  const entries =
    '{name: a, kind: embedded, replicaCount: 3}, {name: b, kind: embedded}, {name: far, urls: ["http://x"]}, {name: v, kind: vllm, modelURL: m, replicaCount: 2}';
  const namesOf = (rest: string) => {
    const values = valuesOf(entries, rest);
    return processGroups(values, planEngines(values)).map((group) =>
      group.map(({ name }) => name).join(' '),
    );
  };
  assert.deepEqual(namesOf('spillway: {engineProcesses: shared}'), [
    'a-1 a-2 a-3',
    'b',
    'v-1',
    'v-2',
  ]);
  assert.deepEqual(namesOf('spillway: {engineProcesses: each}'), [
    ...['a-1', 'a-2', 'a-3', 'b', 'v-1', 'v-2'],
  ]);
});
