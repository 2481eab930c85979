import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../../core/base/index.ts';
import { findGpu, findModel } from '../../../core/engine/index.ts';
import { parseKvTransferConfig } from '../../../core/vllm-config/index.ts';
import { nixlSettings } from './nixl-tier.ts';
import { connectorName, type TierFlags, tierOptions, withoutEmulation } from './tier-options.ts';

const layout = { model: findModel('Qwen3-8B'), gpu: findGpu('H100') };

/** 147,456 bytes per token, 16 tokens per block. */
const blockBytes = 2_359_296;

test('--kv-offloading-size creates a pool of whole blocks, loaded over PCIe', () => {
  const tier = tierOptions({ offloadingGibibytes: 10 }, layout, 16);
  assert.ok(tier?.connector === 'OffloadingConnector');
  const { chunksMax, blocksPerChunk, eviction, promptOnly, link } = tier.config;
  assert.equal(chunksMax, Math.floor((10 * 2 ** 30) / blockBytes));
  assert.deepEqual([blocksPerChunk, eviction, promptOnly], [1, 'lru', true]);
  assert.equal(link.bytesPerSecond, 50e9);
});

test("reads the connector's own configuration as vLLM does", () => {
  const tier = tierOptions(
    native({ cpu_bytes_to_use: '1000000000', block_size: 64, eviction_policy: 'arc' }),
    layout,
    16,
  );
  assert.ok(tier?.connector === 'OffloadingConnector');
  assert.deepEqual([tier.config.blocksPerChunk, tier.config.eviction], [4, 'arc']);
  const folder = tierOptions(
    { transfer: parse('ExampleConnector', { shared_storage_path: '/x' }) },
    layout,
    16,
  );
  assert.deepEqual(folder, { connector: 'ExampleConnector', storagePath: '/x' });
});

test('the size flag takes precedence, and connectors without an emulation yield no tier', () => {
  const transfer = parse('MooncakeConnector', {});
  assert.equal(connectorName({ transfer }), 'MooncakeConnector');
  assert.equal(tierOptions({ transfer }, layout, 16), undefined);
  assert.equal(connectorName({ transfer, offloadingGibibytes: 1 }), 'OffloadingConnector');
  const lmcache = { offloadingGibibytes: 1, offloadingBackend: 'lmcache' } as const;
  assert.equal(connectorName(lmcache), 'LMCacheMPConnector');
  assert.equal(connectorName({}), undefined);
});

test('several connectors yield tiers for those with an emulation, in their order, and list the others', () => {
  const kv_role = 'kv_both';
  const connectors = [
    { kv_connector: 'MooncakeConnector', kv_role },
    {
      kv_connector: 'OffloadingConnector',
      kv_role,
      kv_connector_extra_config: { cpu_bytes_to_use: 1e9 },
    },
    {
      kv_connector: 'ExampleConnector',
      kv_role,
      kv_connector_extra_config: { shared_storage_path: '/x' },
    },
  ];
  const flags = { transfer: parse('MultiConnector', { connectors }) };
  const tier = tierOptions(flags, layout, 16);
  assert.ok(tier?.connector === 'MultiConnector');
  assert.deepEqual(
    tier.tiers.map(({ connector }) => connector),
    ['OffloadingConnector', 'ExampleConnector'],
  );
  assert.deepEqual(withoutEmulation(flags), ['MooncakeConnector']);
  const alone = { transfer: parse('MultiConnector', { connectors: connectors.slice(0, 1) }) };
  assert.equal(tierOptions(alone, layout, 16), undefined);
});

test('refuses what vLLM would refuse, in one sentence', () => {
  const sentences: readonly (readonly [TierFlags, RegExp])[] = [
    [native({}), /cpu_bytes_to_use is required/],
    [native({ cpu_bytes_to_use: -1 }), /cpu_bytes_to_use is -1; it must be a number, 0 or more/],
    [native({ cpu_bytes_to_use: 1e9, eviction_policy: 'fifo' }), /"fifo" is not known/],
    [native({ cpu_bytes_to_use: 1e9, block_size: 40 }), /must be a multiple .* such as 48/],
    [native({ cpu_bytes_to_use: 1e9, block_size: 32, blocks_per_chunk: 2 }), /only one of/],
    [native({ cpu_bytes_to_use: 1e9, blocks_per_chunk: 0 }), /blocks_per_chunk is 0/],
    [native({ cpu_bytes_to_use: 1e9, offload_prompt_only: 'no' }), /must be true or false/],
    [native({ cpu_bytes_to_use: 1e9, spec_name: 'TieringOffloadingSpec' }), /is not emulated/],
    [nixl({ 'spillway.link': true }), /spillway\.link must be the name or the rate of a link/],
    [nixl({ 'spillway.link': 'x' }), /x/],
    [nixl({ 'spillway.link_latency_ms': -1 }), /link_latency_ms must be a number, 0 or more/],
    [{ transfer: parse('MultiConnector', {}) }, /connectors is required/],
    [{ transfer: parse('MultiConnector', { connectors: [{}] }) }, /each .* needs a kv_connector/],
    [{ transfer: parse('MultiConnector', { connectors: [3] }) }, /must be a JSON object/],
  ];
  for (const [flags, sentence] of sentences) {
    assert.throws(() => tierOptions(flags, layout, 16), InputError);
    assert.throws(() => tierOptions(flags, layout, 16), sentence);
  }
  const cpu = { ...layout, gpu: findGpu('CPU') };
  assert.throws(() => tierOptions({ offloadingGibibytes: 1 }, cpu, 128), /needs a GPU/);
});

function native(extra: object): TierFlags {
  return { transfer: parse('OffloadingConnector', extra) };
}

function parse(connector: string, extra: object) {
  return parseKvTransferConfig(
    JSON.stringify({
      ...{ kv_connector: connector, kv_role: 'kv_both', kv_connector_extra_config: extra },
    }),
  );
}

test('NIXL has a link, a port, and what happens to requests whose KV is lost', () => {
  const tier = tierOptions(nixl({ 'spillway.link': 2, 'spillway.link_latency_ms': 5 }), layout, 16);
  assert.ok(tier?.connector === 'NixlConnector');
  assert.deepEqual([tier.link.latencySeconds, tier.loadFailure, tier.port], [0.005, 'fail', 0]);
  assert.ok(tier.link.bytesPerSecond >= 2e9);
  assert.equal(nixlSettings({}).host, '127.0.0.1');
  const given = { VLLM_NIXL_SIDE_CHANNEL_HOST: '10.0.0.1', VLLM_NIXL_SIDE_CHANNEL_PORT: '5600' };
  assert.deepEqual(nixlSettings(given), { host: '10.0.0.1', port: 5600 });
  assert.throws(() => nixlSettings({ VLLM_NIXL_SIDE_CHANNEL_PORT: '99999' }), /must be a port/);
});

function nixl(extra: Record<string, unknown>): TierFlags {
  return { transfer: parse('NixlConnector', extra) };
}
