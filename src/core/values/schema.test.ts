import assert from 'node:assert/strict';
import { test } from 'node:test';
import upstream from './fixtures/upstream-defaults.json' with { type: 'json' };
import { presets } from './presets.ts';
import { renderValues } from './render.ts';
import { resolveValues } from './resolve.ts';
import { engineKind } from './schema.ts';
import { allKeys } from './schema-node.ts';
import { fromPlain } from './tree.ts';
import { defaultValues } from './validate.ts';

const resolve = (data: unknown) =>
  resolveValues({ files: [{ name: 'f', text: JSON.stringify(data) }] }).values;

test('every key of the upstream chart has its upstream default', () => {
  const compare = (theirs: unknown, own: unknown, path: string): void => {
    if (typeof theirs !== 'object' || theirs === null || Array.isArray(theirs)) {
      assert.deepEqual(own, theirs, path);
      return;
    }
    for (const [key, value] of Object.entries(theirs)) {
      compare(value, (own as Record<string, unknown>)[key], `${path}.${key}`);
    }
  };
  compare(upstream.defaults, defaultValues, '');
});

test('the defaults of the upstream chart and its examples are valid as written', () => {
  const { defaults, modelSpecExample, loraAdapterExample } = upstream;
  const values = resolve({
    ...defaults,
    servingEngineSpec: { ...defaults.servingEngineSpec, modelSpec: [modelSpecExample] },
    loraAdapters: [loraAdapterExample],
  });
  assert.deepEqual(values.servingEngineSpec.modelSpec, [modelSpecExample]);
  assert.deepEqual(values.loraAdapters, [loraAdapterExample]);
});

test("accepts keys that only upstream's templates read", () => {
  const known = new Set(allKeys().map(({ path }) => path));
  const keys = `chatTemplate chatTemplateConfigMap enableTool toolCallParser pdb.minAvailable
    pvcExistingClaimName raySpec.headNode.initContainer.image raySpec.headNode.resources
    vllmConfig.pipelineParallelSize vllmConfig.v1 vllmConfig.prometheusMultiprocDir
    lmcacheConfig.diskOffloadingBufferSize lmcacheConfig.kvRole lmcacheConfig.enablePD
    lmcacheConfig.cudaVisibleDevices lmcacheConfig.enableNixl lmcacheConfig.nixlRole
    lmcacheConfig.nixlPeerHost lmcacheConfig.nixlPeerPort lmcacheConfig.nixlBufferSize
    lmcacheConfig.nixlBufferDevice lmcacheConfig.nixlEnableGc lmcacheConfig.enableController
    lmcacheConfig.instanceId lmcacheConfig.controllerPort lmcacheConfig.controllerReplyPort
    lmcacheConfig.workerPort lmcacheConfig.workerPorts lmcacheConfig.workerHeartbeatTime
    lmcacheConfig.p2pHost lmcacheConfig.p2pInitPorts`;
  for (const key of keys.split(/\s+/)) {
    assert.ok(known.has(`servingEngineSpec.modelSpec[].${key}`), key);
  }
  assert.ok(known.has('routerSpec.lmcacheControllerReplyPort'));
  assert.ok(known.has('routerSpec.lmcacheControllerHeartbeatPort'));
  assert.ok(known.has('loraAdapters[].labels'));
});

test('KEDA triggers are a list, as in KEDA, or one map, as in the upstream example', () => {
  const trigger = { type: 'prometheus', metadata: { threshold: '5' } };
  for (const triggers of [trigger, [trigger, trigger]]) {
    const modelSpec = [{ name: 'm', keda: { enabled: true, triggers } }];
    resolve({ servingEngineSpec: { modelSpec } });
  }
});

test('accepts keys of upstream examples that upstream ignores', () => {
  resolve({ routerSpec: { enablePD: true }, cacheserverSpec: { repository: 'r', tag: 't' } });
});

test('warns about such a key in each item of a list', () => {
  const modelSpec = [{ name: 'a', device: 'cpu' }, { name: 'b' }, { name: 'c', extraArgs: ['-x'] }];
  const text = JSON.stringify({ servingEngineSpec: { modelSpec } });
  const { warnings } = resolveValues({ files: [{ name: 'f', text }] });
  assert.deepEqual(
    warnings.map(({ sentence }) => sentence.split(': ')[0]),
    ['servingEngineSpec.modelSpec[0].device', 'servingEngineSpec.modelSpec[2].extraArgs'],
  );
});

test('an entry is embedded unless it sets another kind or URLs', () => {
  assert.equal(engineKind({}), 'embedded');
  assert.equal(engineKind({ urls: ['http://a'] }), 'url');
  assert.equal(engineKind({ kind: 'vllm' }), 'vllm');
});

test('every preset is valid, and is printed as written', () => {
  for (const { name, yaml } of presets) {
    const { written } = resolveValues({ preset: name });
    assert.equal(renderValues(written), yaml, name);
  }
});

test('the laptop preset has four embedded engines behind the predictive router', () => {
  const { servingEngineSpec, routerSpec } = resolveValues({ preset: 'laptop' }).values;
  const [entry] = servingEngineSpec.modelSpec;
  assert.deepEqual(
    [servingEngineSpec.modelSpec.length, entry?.kind, entry?.replicaCount, entry?.modelURL],
    [1, 'embedded', 4, 'Qwen/Qwen3-8B'],
  );
  assert.deepEqual([entry?.gpu, entry?.vllmConfig?.kvEvents], ['H100-80GB', true]);
  assert.equal(routerSpec.routingLogic, 'predictive');
});

test('all values with all defaults stay the same when printed and parsed', () => {
  for (const { name } of presets) {
    const { values } = resolveValues({ preset: name });
    const text = renderValues(fromPlain(values, { source: 'test' }));
    assert.deepEqual(resolveValues({ files: [{ name: 'f', text }] }).values, values, name);
  }
});
