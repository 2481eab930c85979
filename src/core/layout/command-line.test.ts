import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelEntry } from '../values/index.ts';
import { entryWords, podKvEvents, wordOrder } from './command-line.ts';

const entry = (given: object) =>
  ({ name: 'm', enabled: true, replicaCount: 1, ...given }) as ModelEntry;
const inPod = (given: object, program: 'chart' | 'engine' = 'chart') =>
  entryWords(entry(given), program, podKvEvents, 'pod');

test('a key that is an empty text passes no flag', () => {
  assert.deepEqual(inPod({ modelRevision: '', toolCallParser: '' }), []);
});

test('an engine in a pod publishes KV events on all its addresses, and extraArgs stay as they are', () => {
  const extraArgs = ['--kv-events-config', '{"enable_kv_cache_events":true,"publisher":"zmq"}'];
  const words = inPod({ vllmConfig: { kvEvents: true, enablePrefixCaching: true, extraArgs } });
  assert.deepEqual(words.slice(-2), extraArgs);
  assert.match(words[2] ?? '', /"endpoint":"tcp:\/\/\*:5557","replay_endpoint":"tcp:\/\/\*:5558"/);
});

test('the chart has the connectors of disaggregated prefill and of V0', () => {
  const connector = (given: object) => JSON.parse(inPod(given).at(-1) ?? '');
  const lmcacheConfig = {
    enabled: true,
    kvRole: 'kv_producer',
    enablePD: true,
    nixlRole: 'sender',
  };
  assert.deepEqual(connector({ lmcacheConfig }), {
    kv_connector: 'LMCacheConnectorV1',
    kv_role: 'kv_producer',
    kv_connector_extra_config: { discard_partial_chunks: false, lmcache_rpc_port: 'sender' },
  });
  assert.equal(
    connector({ lmcacheConfig: { enabled: true }, vllmConfig: { v0: 1 } }).kv_connector,
    'LMCacheConnector',
  );
});

test('a connector in extraArgs stays, beside the environment of LMCache', () => {
  const extraArgs = ['--kv-transfer-config', '{"kv_connector":"MultiConnector"}'];
  const words = inPod({ lmcacheConfig: { enabled: true }, vllmConfig: { extraArgs } });
  assert.deepEqual(words.slice(-2), extraArgs);
  assert.equal(words.filter((word) => word.startsWith('--kv-transfer-config')).length, 1);
});

test('LMCache in multiprocess mode: a server somewhere, or one that the engine starts', () => {
  const connector = (lmcacheConfig: object, cacheNodes?: string) => {
    const given = entry({ lmcacheConfig: { enabled: true, ...lmcacheConfig } });
    return JSON.parse(
      entryWords(given, 'serve', podKvEvents, 'machine', cacheNodes).at(-1) as string,
    );
  };
  const common = { kv_connector: 'LMCacheMPConnector', kv_load_failure_policy: 'recompute' };
  assert.deepEqual(connector({ mpServer: 'node-7:6555', kvRole: 'kv_consumer' }), {
    ...common,
    kv_connector_extra_config: { 'lmcache.mp.host': 'tcp://node-7', 'lmcache.mp.port': 6555 },
    kv_role: 'kv_consumer',
  });
  const started = { mpServer: true, cpuOffloadingBufferSize: '60' };
  const at = { 'lmcache.mp.host': 'tcp://localhost', 'lmcache.mp.port': 5555 };
  assert.deepEqual(connector(started), {
    ...common,
    kv_connector_extra_config: {
      ...at,
      'lmcache.mp.autostart': true,
      'lmcache.mp.autostart.server_args': '--l1-size-gb 60 --eviction-policy LRU',
    },
    kv_role: 'kv_both',
  });
  assert.equal(
    connector(started, 'cache:6379').kv_connector_extra_config['lmcache.mp.autostart.server_args'],
    `--l1-size-gb 60 --eviction-policy LRU --l2-adapter '{"type":"valkey","startup_nodes":"cache:6379"}'`,
  );
  assert.equal(connector({ mpServer: false }).kv_connector, 'LMCacheConnectorV1');
});

test('settings that multiprocess mode lacks are refused', () => {
  const words = (lmcacheConfig: object) =>
    inPod({ lmcacheConfig: { enabled: true, mpServer: 'h:1', ...lmcacheConfig } });
  for (const key of ['enablePD', 'enableController', 'enableP2P']) {
    assert.throws(
      () => words({ [key]: true }),
      new RegExp(`lmcacheConfig.${key} of m is for LMCache in the engine’s process`),
    );
  }
  assert.throws(
    () => words({ mpServer: true }),
    /mpServer: true of m needs cpuOffloadingBufferSize/,
  );
});

test('chat templates are below /templates in a pod', () => {
  assert.deepEqual(inPod({ chatTemplate: 't.jinja' }), ['--chat-template', '/templates/t.jinja']);
});

test('vLLM gets no flag that only the embedded engine has', () => {
  const names = (program: 'chart' | 'engine') => wordOrder(program).before;
  assert.ok(names('engine').includes('timeScale'));
  assert.ok(!names('chart').includes('timeScale'));
});
