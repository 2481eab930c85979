import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../base/index.ts';
import { defaultKvTransferConfig, parseKvTransferConfig } from './kv-transfer-config.ts';

test("what is not given takes vLLM's default", () => {
  assert.deepEqual(parseKvTransferConfig('{}'), defaultKvTransferConfig);
  const text = '{"kv_connector":"OffloadingConnector","kv_role":"kv_both"}';
  const { kv_connector, kv_role, kv_port } = parseKvTransferConfig(text);
  assert.deepEqual([kv_connector, kv_role, kv_port], ['OffloadingConnector', 'kv_both', 14_579]);
});

test('what vLLM would not take is refused by key, in one sentence', () => {
  const sentences: Record<string, RegExp> = {
    '{': /is not JSON/,
    '[]': /must be a JSON object/,
    '{"kv_rank": 0}': /has no key "kv_rank"; allowed are kv_connector, engine_id/,
    '{"kv_role": "both"}': /"kv_role" must be one of kv_producer, kv_both, kv_consumer/,
    '{"kv_connector": "OffloadingConnector"}': /"kv_role" must be given with "kv_connector"/,
    '{"kv_connector": "OfloadingConnector", "kv_role": "kv_both"}':
      /no connector "OfloadingConnector"; did you mean OffloadingConnector\?/,
    '{"kv_connector_extra_config": 3}': /"kv_connector_extra_config" must be an object/,
    '{"__proto__": 1}': /no key "__proto__"/,
  };
  for (const [text, sentence] of Object.entries(sentences)) {
    assert.throws(() => parseKvTransferConfig(text), InputError);
    assert.throws(() => parseKvTransferConfig(text), sentence);
  }
});
