import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineKind, resolveValues } from '../values/index.ts';
import { engineFaults } from './engine-faults.ts';

const noModel = () => {
  throw new RangeError('not asked for');
};

function faultsOf(entry: string, spec = '') {
  const text = `servingEngineSpec:\n${spec}  modelSpec:\n  - name: a\n    replicaCount: 1\n${entry}`;
  const { values } = resolveValues({ files: [{ name: 'v.yaml', text }] });
  return engineFaults(values, noModel, engineKind);
}

const url = 'redis+sentinel://:hunter2@a:26379';
const lmcache = '    lmcacheConfig: {enabled: true}\n';
const variable = (value: string) => `[{name: LMCACHE_REMOTE_URL, value: "${value}"}]`;

test('the URL of a Redis Sentinel for an embedded engine is a fault where it is written, without its password', () => {
  const extra = JSON.stringify({
    ...{ kv_connector: 'LMCacheConnectorV1', kv_role: 'kv_both' },
    kv_connector_extra_config: { 'lmcache.remote_url': url },
  });
  for (const [entry, spec, place] of [
    [`${lmcache}    env: ${variable(url)}\n`, '', 'servingEngineSpec.modelSpec[0].env'],
    [lmcache, `  env: ${variable(url)}\n`, 'servingEngineSpec.env'],
    [lmcache, `  configs: {LMCACHE_REMOTE_URL: "${url}"}\n`, 'servingEngineSpec.configs'],
    [
      `    vllmConfig: {extraArgs: ["--kv-transfer-config", ${JSON.stringify(extra)}]}\n`,
      '',
      'servingEngineSpec.modelSpec[0].vllmConfig.extraArgs',
    ],
  ] as const) {
    const [fault, ...others] = faultsOf(entry, spec);
    assert.deepEqual(others, []);
    const { sentence = '', isEmulated } = fault ?? {};
    assert.ok(sentence.startsWith(place), sentence);
    assert.match(
      sentence,
      /"redis\+sentinel:\/\/a:26379"; Redis Sentinel .* is not spoken to: use lm:/,
    );
    assert.equal(isEmulated, true);
    assert.equal(sentence.includes('hunter2'), false);
  }
});

test('what the engine does not read, or what vLLM reads, is no fault', () => {
  const env = `    env: ${variable(url)}\n`;
  assert.deepEqual(faultsOf(env), [], 'without LMCache');
  assert.deepEqual(faultsOf(`${lmcache}${env}    kind: vllm\n`), []);
  assert.deepEqual(faultsOf(`${lmcache}    env: ${variable('lm://cache:65432')}\n`), []);
  assert.deepEqual(
    faultsOf(`${lmcache}    env: [{name: LMCACHE_REMOTE_URL, valueFrom: {}}]\n`),
    [],
  );
  const own = `${lmcache}    env: ${variable('redis://cache:6379')}\n`;
  assert.deepEqual(faultsOf(own, `  env: ${variable(url)}\n`), [], 'the last one wins');
});
