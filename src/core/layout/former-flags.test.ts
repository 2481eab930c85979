import assert from 'node:assert/strict';
import { test } from 'node:test';
import { currentTransfers, formerFlag, formerTransfer } from './former-flags.ts';
import { settingNames, settingsTable } from './table.ts';

test('former flags are found in every spelling, and none of them is a flag of today with an effect', () => {
  assert.equal(formerFlag('--guided_decoding_backend')?.last, '0.11');
  assert.equal(formerFlag('--max-model-len'), undefined);
  assert.equal(formerFlag('constructor'), undefined);
  const current = settingNames
    .filter((name) => formerFlag(settingsTable[name].flag) !== undefined)
    .filter((name) => settingsTable[name].effects.engine.kind === 'used');
  assert.deepEqual(current, []);
});

test('former keys and connectors of --kv-transfer-config are found', () => {
  const p2p = '{"kv_connector":"P2pNcclConnector","kv_role":"kv_producer","kv_buffer_size":"1e9"}';
  assert.deepEqual(formerTransfer(p2p), {
    keys: ['kv_buffer_size'],
    connector: { name: 'P2pNcclConnector', last: undefined },
  });
  const now = '{"kv_connector":"NixlConnector","kv_role":"kv_both"}';
  for (const text of [now, '{', '[]', '3']) assert.equal(formerTransfer(text), undefined);
});

test('connectors get their names of today, and lose what is gone', () => {
  const shared =
    '{"kv_connector":"SharedStorageConnector","kv_role":"kv_both","kv_rank":0,"kv_connector_extra_config":{"shared_storage_path":"/tmp/kv"}}';
  const expected =
    '{"kv_connector":"ExampleConnector","kv_role":"kv_both","kv_connector_extra_config":{"shared_storage_path":"/tmp/kv"}}';
  for (const words of [
    ['--kv-transfer-config', shared],
    [`--kv-transfer-config=${shared}`],
    [`--kv_transfer_config=${shared}`],
  ]) {
    assert.deepEqual(currentTransfers(['-tp', '2', ...words, '--seed', '1']), [
      ...['-tp', '2', '--kv-transfer-config', expected, '--seed', '1'],
    ]);
  }
  const gone = '{"kv_connector":"P2pNcclConnector","kv_role":"kv_producer","kv_port":"21001"}';
  assert.deepEqual(currentTransfers(['--kv-transfer-config', gone, '--seed', '1']), [
    '--seed',
    '1',
  ]);
  const quoted = '{"kv_connector":"NixlConnector","kv_role":"kv_both","kv_port":"21001"}';
  assert.deepEqual(currentTransfers(['--kv-transfer-config', quoted]), [
    '--kv-transfer-config',
    '{"kv_connector":"NixlConnector","kv_role":"kv_both","kv_port":21001}',
  ]);
  for (const words of [['--kv-transfer-config'], ['--kv-transfer-config', '{'], ['--seed', '1']]) {
    assert.deepEqual(currentTransfers(words), words);
  }
});
