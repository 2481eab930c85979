import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lmcacheSettings } from './lmcache-settings.ts';

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
