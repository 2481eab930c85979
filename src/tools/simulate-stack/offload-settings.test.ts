import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Settings } from '../../core/layout/index.ts';
import { offloadSettings } from './offload-settings.ts';

type Transfer = NonNullable<Settings['kvTransferConfig']>;

/** What an engine's settings come to with a connector and its extra configuration. */
function connected(
  connector: string,
  extra: Readonly<Record<string, unknown>> = {},
  settings: Partial<Settings> = {},
) {
  const kvTransferConfig = {
    ...{ kv_connector: connector, kv_role: 'kv_consumer', kv_load_failure_policy: 'recompute' },
    kv_connector_extra_config: extra,
  } as unknown as Transfer;
  return offloadSettings({ kvTransferConfig, ...settings }, 'e');
}

test('without settings nothing is offloaded', () => {
  assert.deepEqual(offloadSettings({}, 'e'), {
    ...{ offload: {}, secondaryTiers: [], hostBytes: undefined },
  });
});

test('a transfer configuration without a connector offloads nothing', () => {
  const kvTransferConfig = { kv_connector: null } as unknown as Transfer;
  assert.deepEqual(offloadSettings({ kvTransferConfig }, 'e'), offloadSettings({}, 'e'));
});

test('the size of host memory is in GiB, and has the last word over the connector’s', () => {
  assert.equal(offloadSettings({ kvOffloadingSize: 2 }, 'e').hostBytes, 2 ** 31);
  const both = connected('OffloadingConnector', { cpu_bytes_to_use: 7 }, { kvOffloadingSize: 1 });
  assert.equal(both.hostBytes, 2 ** 30);
});

test('what the offloading connector is told is taken over, and only that', () => {
  const sized = { num_cpu_blocks: 50 };
  assert.deepEqual(connected('OffloadingConnector', sized).offload, {});
  assert.equal(connected('OffloadingConnector', sized).hostBlocks, 50);
  const extra = {
    ...{ blocks_per_chunk: 4, store_threshold: 2, max_tracker_size: 99 },
    ...{ eviction_policy: 'arc', offload_prompt_only: false },
  };
  assert.deepEqual(connected('OffloadingConnector', { ...sized, ...extra }).offload, {
    ...{ blocksPerChunk: 4, storeThreshold: 2, trackedMax: 99, eviction: 'arc', promptOnly: false },
  });
  const odd = { blocks_per_chunk: '4', eviction_policy: 5, offload_prompt_only: 'yes' };
  assert.deepEqual(connected('OffloadingConnector', { ...sized, ...odd }).offload, {});
});

test('tiers below host memory are a disk, a shared folder or an object store, one or several', () => {
  const tiersOf = (given: unknown) =>
    connected('OffloadingConnector', { num_cpu_blocks: 5, secondary_tiers: given }).secondaryTiers;
  assert.deepEqual(tiersOf(undefined), []);
  assert.deepEqual(tiersOf({ type: 'obj' }), ['object']);
  assert.deepEqual(
    tiersOf([
      { type: 'fs' },
      { type: 'fs', locality: 'Remote' },
      { type: 'fs', locality: 'local' },
    ]),
    ['disk', 'shared-disk', 'disk'],
  );
  for (const given of [{ type: 'tape' }, null, 'fs']) assert.throws(() => tiersOf(given), /of e/);
});

test('a connector that hands KV over tells its role and what becomes of a lost prompt', () => {
  for (const connector of ['NixlConnector', 'NixlPullConnector']) {
    const { transfer, hostBytes } = connected(connector);
    assert.deepEqual(transfer, { role: 'kv_consumer', loadFailure: 'recompute' });
    assert.equal(hostBytes, undefined);
  }
});

test('what is not simulated is refused', () => {
  const lmcache = { kvOffloadingSize: 1, kvOffloadingBackend: 'lmcache' } as Partial<Settings>;
  assert.throws(
    () => offloadSettings(lmcache, 'e'),
    /extraArgs of e: --kv-offloading-backend lmcache/,
  );
  assert.throws(
    () => connected('MooncakeConnector'),
    /connector "MooncakeConnector" is not simulated/,
  );
  assert.throws(() => connected('OffloadingConnector'), /needs cpu_bytes_to_use or num_cpu_blocks/);
  assert.equal(connected('OffloadingConnector', { cpu_bytes_to_use: 7 }).hostBytes, 7);
});
