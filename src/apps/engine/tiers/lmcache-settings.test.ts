import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { lmcacheOverrides } from '../../../core/vllm-config/index.ts';
import { lmcacheSettings } from './lmcache-settings.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-lmcache-'));
after(() => rmSync(directory, { recursive: true }));

/** Settings and notes of a file. */
async function settingsOf(yaml: string, variables: Record<string, string> = {}) {
  const path = join(directory, 'lmcache.yaml');
  writeFileSync(path, yaml);
  const notes: string[] = [];
  const environment = { LMCACHE_CONFIG_FILE: path, ...variables };
  const settings = await lmcacheSettings(environment, (note) => notes.push(note));
  return { settings, notes: notes.map((note) => note.replace(`${path}: `, '')) };
}

const urls = {
  ...{ LMCACHE_ENABLE_CONTROLLER: 'True', LMCACHE_CONTROLLER_PULL_URL: 'router:9000' },
  LMCACHE_CONTROLLER_REPLY_URL: 'router:9001',
};

test('the controller and the hash seed come from LMCache’s own variables', async () => {
  const plain = await lmcacheSettings({});
  assert.deepEqual([plain.controller, plain.hashSeed], [undefined, 123]);
  const given = await lmcacheSettings({
    ...{ ...urls, LMCACHE_LMCACHE_INSTANCE_ID: 'pod', PYTHONHASHSEED: '7' },
    LMCACHE_LMCACHE_WORKER_HEARTBEAT_TIME: '5',
  });
  assert.equal(given.hashSeed, 7);
  assert.deepEqual(given.controller, {
    ...{ pullUrl: 'router:9000', replyUrl: 'router:9001', instanceId: 'pod', heartbeatSeconds: 5 },
    workerPort: 0,
  });
  const { controller } = await lmcacheSettings(urls);
  assert.deepEqual([controller?.instanceId, controller?.heartbeatSeconds], [undefined, undefined]);
});

test('a place among peers comes from LMCache’s own variables', async () => {
  assert.equal((await lmcacheSettings(urls)).peers, undefined);
  const p2p = { ...urls, LMCACHE_ENABLE_P2P: 'True' };
  const { peers } = await lmcacheSettings(p2p);
  assert.deepEqual(peers, { host: undefined, initPort: 0, lookupPort: 0 });
  const given = await lmcacheSettings({
    ...{ ...p2p, LMCACHE_P2P_HOST: 'a', LMCACHE_P2P_INIT_PORTS: '8200,8202' },
    LMCACHE_P2P_LOOKUP_PORTS: '8201',
  });
  assert.deepEqual(given.peers, { host: 'a', initPort: 8200, lookupPort: 8201 });
  await assert.rejects(lmcacheSettings({ ...p2p, LMCACHE_P2P_INIT_PORTS: 'x' }), /must be a port/);
  await assert.rejects(lmcacheSettings({ LMCACHE_ENABLE_P2P: '1' }), /needs enable_controller/);
});

test('a controller without its addresses is an error', async () => {
  await assert.rejects(lmcacheSettings({ LMCACHE_ENABLE_CONTROLLER: '1' }), {
    name: 'InputError',
    message: /controller_pull_url \(LMCACHE_CONTROLLER_PULL_URL\) is missing/,
  });
});

test('the folder of the local disk is LMCache’s local_disk', async () => {
  const of = async (LMCACHE_LOCAL_DISK: string) =>
    (await lmcacheSettings({ LMCACHE_LOCAL_DISK })).diskFolder;
  assert.equal(await of('file:///mnt/a/,file:///mnt/b/'), '/mnt/a/');
  assert.equal(await of('/mnt/a'), '/mnt/a');
  assert.equal(await of('True'), undefined);
  assert.equal((await lmcacheSettings({})).diskFolder, undefined);
});

test('each key of a file without effect is noted, with the key that was probably meant', async () => {
  const { settings, notes } = await settingsOf(
    'chunk_size: 128\nlocal_cpu: true\nmax_local_cpu_sise: 32\nenable_blending: true\nqwertz: 1\nenable_nixl: false\n',
  );
  assert.deepEqual([settings.chunkTokens, settings.hostBytes], [128, 5 * 2 ** 30]);
  assert.deepEqual(notes.slice(0, 3), [
    'max_local_cpu_sise is no key of LMCache and has no effect; did you mean max_local_cpu_size?',
    'enable_blending has no effect here: it is not emulated.',
    'qwertz is no key of LMCache and has no effect.',
  ]);
  assert.match(notes[3] ?? '', /^enable_nixl is no key of LMCache/);
  const variables = {
    ...{ LMCACHE_MAX_LOCAL_CPU_SISE: '3', LMCACHE_LOG_LEVEL: 'INFO', LMCACHE_ENABLE_BLENDING: '1' },
    ...{ LMCACHE_USE_EXPERIMENTAL: 'True', PATH: '/bin' },
  };
  assert.deepEqual((await settingsOf('', variables)).notes, [
    'LMCACHE_MAX_LOCAL_CPU_SISE is no variable of LMCache and has no effect; did you mean LMCACHE_MAX_LOCAL_CPU_SIZE?',
  ]);
});

test('a size in another unit than GB is refused with the number to write', async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [
      'max_local_cpu_size: 10737418240',
      /is in GB: 10,737,418,240 GB are more than a machine has\. For that many bytes, write 10\.$/,
    ],
    ['max_local_cpu_size: 20480', /20,480 GB are more .* For MB, write 20\.$/],
    ['max_local_cpu_size: 102400', /102,400 GB are more .* For MB, write 100\.$/],
    ['max_local_cpu_size: 10GB', /is 10GB; it is a number in GB: write 10\.$/],
    ['max_local_disk_size: 512 MiB', /is 512 MiB; it is a number in GB: write 0\.5\.$/],
    ['max_local_disk_size: 107374182400', /For that many bytes, write 100\.$/],
    ['max_local_cpu_size: much', /it must be a number, 0 or more/],
    ['chunk_size: 0', /chunk_size.* is 0; it must be a whole number of tokens, at least 1/],
  ];
  for (const [yaml, message] of cases) await assert.rejects(settingsOf(yaml), message, yaml);
  const { settings } = await settingsOf('max_local_cpu_size: 0.5\nmax_local_disk_size: 2000\n');
  assert.deepEqual([settings.hostBytes, settings.diskBytes], [2 ** 29, 2000 * 2 ** 30]);
});

test('settings in --kv-transfer-config win over those of variables and the file', async () => {
  const { settings } = await settingsOf('remote_url: lm://file:1\nchunk_size: 64');
  assert.deepEqual([settings.remoteUrl, settings.chunkTokens], ['lm://file:1', 64]);
  const variables = { LMCACHE_REMOTE_URL: 'lm://variable:1', LMCACHE_CHUNK_SIZE: '32' };
  const own = {
    ...{ 'lmcache.remote_url': null, 'lmcache.local_cpu': false, 'lmcache.mp.host': 'h' },
    'spillway.link_gbps': 1,
  };
  const nested = { kv_connector: 'LMCacheConnectorV1', kv_connector_extra_config: own };
  for (const extra of [own, { connectors: [{ kv_connector: 'NixlConnector' }, nested] }]) {
    const overrides = lmcacheOverrides({ kv_connector_extra_config: extra });
    assert.deepEqual(overrides, { remote_url: null, local_cpu: false });
    const read = await lmcacheSettings(variables, () => {}, overrides);
    assert.deepEqual([read.remoteUrl, read.hostBytes, read.chunkTokens], [undefined, 0, 32]);
  }
  assert.deepEqual(lmcacheOverrides(undefined), {});
  assert.deepEqual(lmcacheOverrides({ kv_connector_extra_config: { connectors: [null, 7] } }), {});
});
