import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planEngines, routerFlags } from '../../core/launch/index.ts';
import { resolveValues } from '../../core/values/index.ts';
import { overrideValues, type UpOverrides } from './override-values.ts';

const one = 'servingEngineSpec: {modelSpec: [{name: a, kind: embedded, replicaCount: 2, gpu: L4}]}';
const two = `servingEngineSpec: {modelSpec: [{name: a, kind: embedded}, {name: b, kind: vllm},
  {name: idle, enabled: false}, {name: far, urls: ["http://x"]}]}`;

function overridden(text: string, overrides: UpOverrides) {
  const { values } = resolveValues({ files: [{ name: 'f', text }] });
  return overrideValues(values, overrides);
}

test('without flags the values stay as they are', () => {
  const { values } = resolveValues({ files: [{ name: 'f', text: two }] });
  assert.deepEqual(overrideValues(values, {}), values);
});

test('flags for the engines change the entry that is started', () => {
  const overrides = { engines: 5, gpu: 'H100', model: 'Qwen/Qwen3-8B', timeScale: 2 };
  const [entry] = overridden(one, overrides).servingEngineSpec.modelSpec;
  assert.deepEqual(
    [entry?.name, entry?.replicaCount, entry?.gpu, entry?.modelURL, entry?.timeScale],
    ['qwen3-8b', 5, 'H100', 'Qwen/Qwen3-8B', 2],
  );
  const [scaled] = overridden(one, { timeScale: 2 }).servingEngineSpec.modelSpec;
  assert.deepEqual([scaled?.name, scaled?.replicaCount, scaled?.gpu], ['a', 2, 'L4']);
  const [fastest] = overridden(one, { timeScale: Number.POSITIVE_INFINITY }).servingEngineSpec
    .modelSpec;
  assert.equal(fastest?.timeScale, 'inf');
});

test('a model is named by the last part of its path, in characters that Kubernetes accepts', () => {
  const nameOf = (model: string) => overridden(one, { model }).servingEngineSpec.modelSpec[0]?.name;
  assert.equal(nameOf('/models/My Model_v1.5/'), 'my-model-v1.5');
  assert.equal(nameOf('///'), '-');
});

test('a GPU and a time scale apply only to the entries that are started', () => {
  const { modelSpec } = overridden(two, { gpu: 'H100', timeScale: 3 }).servingEngineSpec;
  assert.deepEqual(
    modelSpec.map(({ gpu, timeScale }) => [gpu, timeScale]),
    [
      ['H100', 3],
      ['H100', 3],
      [undefined, undefined],
      [undefined, undefined],
    ],
  );
});

test('--engines and --model are refused unless exactly one entry is started', () => {
  assert.throws(() => overridden(two, { engines: 2 }), /--engines needs exactly one .* have a, b:/);
  assert.throws(() => overridden(two, { model: 'm' }), /--model needs exactly one .* have a, b:/);
  const none = 'servingEngineSpec: {modelSpec: [{name: far, urls: ["http://x"]}]}';
  assert.throws(() => overridden(none, { engines: 2 }), /have none:/);
});

test('running engines become a separate entry', () => {
  const { modelSpec } = overridden(one, { engineUrls: ['http://x', 'http://y'] }).servingEngineSpec;
  assert.equal(modelSpec.length, 2);
  assert.deepEqual(modelSpec[1], {
    ...{ name: 'engine', kind: 'url', enabled: true, replicaCount: 1 },
    urls: ['http://x', 'http://y'],
  });
});

test('flags for the router override the file, and its other values stay', () => {
  const text = `${one}\nrouterSpec: {host: 1.1.1.1, containerPort: 7, routingLogic: roundrobin}\nspillway: {dashboard: false}`;
  const kept = overridden(text, {});
  assert.deepEqual(
    [kept.routerSpec.host, kept.routerSpec.containerPort, kept.routerSpec.routingLogic],
    ['1.1.1.1', 7, 'roundrobin'],
  );
  assert.equal(kept.spillway.dashboard, false);
  const given = overridden(text, {
    ...{ host: '0.0.0.0', port: 8, policy: 'kvaware', dashboard: true },
  });
  assert.deepEqual(
    [given.routerSpec.host, given.routerSpec.containerPort, given.routerSpec.routingLogic],
    ['0.0.0.0', 8, 'kvaware'],
  );
  assert.equal(given.spillway.dashboard, true);
});

test('flags override the one model that the values start, and add engines', () => {
  const { values } = resolveValues({ preset: 'laptop', files: [] });
  const changed = overrideValues(values, {
    engines: 2,
    model: 'Qwen/Qwen3-0.6B',
    gpu: 'L4',
    timeScale: 5,
    policy: 'roundrobin',
    port: 9000,
    engineUrls: ['http://10.0.0.7:8000'],
  });
  assert.deepEqual(
    planEngines(changed).map(({ name }) => name),
    ['qwen3-0.6b-1', 'qwen3-0.6b-2', 'engine'],
  );
  const flags = routerFlags(changed, []);
  assert.equal(flags[flags.indexOf('--routing-logic') + 1], 'roundrobin');
  assert.equal(flags[flags.indexOf('--port') + 1], '9000');
});

test('--engines with two models in the file is an error that names them', () => {
  const values = valuesOf(
    'servingEngineSpec: {modelSpec: [{name: a, modelURL: a}, {name: b, modelURL: b}]}',
  );
  assert.throws(() => overrideValues(values, { engines: 3 }), /--engines needs .* have a, b/);
});

function valuesOf(text: string) {
  return resolveValues({ files: [{ name: 'test.yaml', text }] }).values;
}
