import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveValues } from '../values/index.ts';
import { engineEnvironment } from './engine-environment.ts';
import { hasController } from './lmcache-controller.ts';

/** The environment of the first entry of a values file. */
function environment(
  serving: string,
  entry: string,
  inherited: Readonly<Record<string, string>> = {},
) {
  const text = `servingEngineSpec: {${serving} modelSpec: [{name: m, ${entry}}]}`;
  const { values } = resolveValues({ files: [{ name: 'f', text }] });
  const [spec] = values.servingEngineSpec.modelSpec;
  assert.ok(spec);
  return engineEnvironment(values, spec, inherited);
}

test('an engine without settings gets no variables', () => {
  assert.deepEqual(environment('', 'kind: vllm'), {});
});

test('later variables win: configs, then tokens and keys, then env of all, then env of the model', () => {
  const serving =
    'configs: {A: one, B: one}, vllmApiKey: secret, env: [{name: B, value: two}, {name: C, value: two}],';
  const entry = 'hf_token: hf, env: [{name: C, value: three}, {name: D, value: "4"}]';
  assert.deepEqual(environment(serving, entry), {
    ...{ A: 'one', B: 'two', C: 'three', D: '4' },
    ...{ HF_TOKEN: 'hf', VLLM_API_KEY: 'secret' },
  });
  const renamed = environment('vllmApiKey: secret,', 'env: [{name: VLLM_API_KEY, value: own}]');
  assert.equal(renamed.VLLM_API_KEY, 'own');
});

test('a variable of a Kubernetes object must be inherited', () => {
  const entry = 'kind: vllm, env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: s, key: k}}}]';
  assert.deepEqual(environment('', entry, { TOKEN: 'here' }), {});
  assert.throws(
    () => environment('', entry),
    /modelSpec "m" takes the environment variable TOKEN from a Kubernetes object/,
  );
  assert.deepEqual(environment('', entry.replace('key: k', 'key: k, optional: true')), {});
});

test('an embedded engine starts without variables of a Kubernetes object that it does not read', () => {
  const from = (name: string) =>
    `env: [{name: ${name}, valueFrom: {secretKeyRef: {name: s, key: k}}}]`;
  for (const name of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'AWS_SECRET_ACCESS_KEY', 'NODE_IP']) {
    assert.deepEqual(environment('', from(name)), {});
    assert.deepEqual(environment(`${from(name)},`, 'hf_token: {secretName: s, secretKey: k}'), {});
  }
  assert.throws(() => environment('', from('VLLM_API_KEY')), /variable VLLM_API_KEY/);
});

test('LMCache gets its sizes if it is enabled', () => {
  const enabled = environment(
    '',
    'lmcacheConfig: {enabled: true, cpuOffloadingBufferSize: "60", diskOffloadingBufferSize: "100"}',
  );
  assert.deepEqual(
    [
      enabled.LMCACHE_LOCAL_CPU,
      enabled.LMCACHE_MAX_LOCAL_CPU_SIZE,
      enabled.LMCACHE_MAX_LOCAL_DISK_SIZE,
    ],
    ['True', '60', '100'],
  );
  const least = environment('', 'lmcacheConfig: {enabled: true, cpuOffloadingBufferSize: 1}');
  assert.equal(least.LMCACHE_MAX_LOCAL_CPU_SIZE, '1');
  const bare = environment('', 'lmcacheConfig: {enabled: true, cpuOffloadingBufferSize: "0"}');
  assert.deepEqual(
    [bare.LMCACHE_LOCAL_CPU, bare.LMCACHE_MAX_LOCAL_DISK_SIZE, bare.LMCACHE_USE_EXPERIMENTAL],
    ['False', undefined, 'True'],
    'as in a simulation',
  );
  const vllm = environment('', 'kind: vllm, lmcacheConfig: {enabled: true}');
  assert.equal(vllm.LMCACHE_LOCAL_CPU, undefined, 'LMCache’s own default');
  assert.deepEqual(environment('', 'lmcacheConfig: {enabled: false}'), {});
});

test('LMCache in multiprocess mode reads none of its settings from a real engine’s environment', () => {
  const cache = 'lmcacheConfig: {enabled: true, mpServer: "h:5555", cpuOffloadingBufferSize: 4}';
  assert.deepEqual(environment('', `kind: vllm, ${cache}`), {});
  const embedded = environment('', cache);
  assert.equal(embedded.LMCACHE_MAX_LOCAL_CPU_SIZE, '4', 'emulated in the engine’s process');
});

test('an engine reports to the controller of the router if its entry asks for it', () => {
  const text = `
servingEngineSpec:
  modelSpec:
    - {name: a, lmcacheConfig: {enabled: true, enableController: true, instanceId: i, workerHeartbeatTime: 9}}
    - {name: b, lmcacheConfig: {enabled: true}}
`;
  const { values } = resolveValues({ files: [{ name: 'f', text }] });
  const controller = { host: 'router', ports: { pull: 1, reply: 2, heartbeat: 3 } };
  const [a, b] = values.servingEngineSpec.modelSpec.map((spec) =>
    engineEnvironment(values, spec, {}, { controller }),
  );
  assert.equal(a?.LMCACHE_ENABLE_CONTROLLER, 'True');
  assert.equal(a?.LMCACHE_CONTROLLER_PULL_URL, 'router:1');
  assert.equal(a?.LMCACHE_CONTROLLER_REPLY_URL, 'router:2');
  assert.equal(a?.LMCACHE_LMCACHE_INSTANCE_ID, 'i');
  assert.equal(a?.LMCACHE_LMCACHE_WORKER_HEARTBEAT_TIME, '9');
  assert.equal(a?.PYTHONHASHSEED, '123');
  assert.equal(b?.LMCACHE_ENABLE_CONTROLLER, undefined);
  assert.ok(hasController(values));
});

test('the ports of LMCache’s workers are for real engines: several embedded ones of an entry run on one machine', () => {
  const of = (kind: string) => {
    const lmcache = 'enabled: true, enableController: true, workerPorts: "8001,8002"';
    const text = `servingEngineSpec: {modelSpec: [{name: m, kind: ${kind}, lmcacheConfig: {${lmcache}}}]}`;
    const { values } = resolveValues({ files: [{ name: 'f', text }] });
    const controller = { host: 'router', ports: { pull: 1, reply: 2, heartbeat: 3 } };
    const [spec] = values.servingEngineSpec.modelSpec;
    assert.ok(spec);
    return engineEnvironment(values, spec, {}, { controller }).LMCACHE_LMCACHE_WORKER_PORTS;
  };
  assert.equal(of('vllm'), '8001,8002');
  assert.equal(of('embedded'), undefined);
});

test('engines that share host memory get LMCache’s settings of P2P; embedded ones choose their ports', () => {
  const cache = 'enabled: true, enableController: true, enableP2P: true, p2pInitPorts: 8200';
  const rest = ', p2pLookupPorts: 8201, p2pHost: h, workerPorts: 8202';
  const controller = { host: 'router', ports: { pull: 1, reply: 2, heartbeat: 3 } };
  const of = (kind: string, more = rest) => {
    const entry = `name: m, kind: ${kind}, lmcacheConfig: {${cache}${more}}`;
    const text = `servingEngineSpec: {modelSpec: [{${entry}}]}`;
    const { values } = resolveValues({ files: [{ name: 'f', text }] });
    const [spec] = values.servingEngineSpec.modelSpec;
    assert.ok(spec);
    const all = engineEnvironment(values, spec, {}, { controller });
    return Object.entries(all).filter(([name]) => /P2P|TRANSFER|ASYNC/.test(name));
  };
  const both = [
    ['LMCACHE_ENABLE_P2P', 'True'],
    ['LMCACHE_TRANSFER_CHANNEL', 'nixl'],
    ['LMCACHE_ENABLE_ASYNC_LOADING', 'True'],
  ];
  const places = [
    ['LMCACHE_P2P_HOST', 'h'],
    ['LMCACHE_P2P_INIT_PORTS', '8200'],
    ['LMCACHE_P2P_LOOKUP_PORTS', '8201'],
  ];
  assert.deepEqual(of('embedded'), both);
  assert.deepEqual(of('vllm'), [...both, ...places]);
  assert.throws(() => of('vllm', ''), /enableP2P of m needs p2pLookupPorts: a port for each GPU/);
});
