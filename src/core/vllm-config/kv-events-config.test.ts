import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../base/index.ts';
import { defaultKvEventsConfig, parseKvEventsConfig } from './kv-events-config.ts';

test("omitted keys have vLLM's defaults, and an enabled publisher is zmq", () => {
  assert.deepEqual(parseKvEventsConfig('{}'), defaultKvEventsConfig);
  const config = parseKvEventsConfig('{"enable_kv_cache_events": true, "topic": "kv@a@m"}');
  assert.deepEqual(config, {
    ...defaultKvEventsConfig,
    enable_kv_cache_events: true,
    publisher: 'zmq',
    topic: 'kv@a@m',
  });
  const silent = '{"enable_kv_cache_events": true, "publisher": "null"}';
  assert.equal(parseKvEventsConfig(silent).publisher, 'null');
});

test('refuses a value that vLLM would refuse, naming its key', () => {
  const sentences: Record<string, RegExp> = {
    '{': /is not JSON/,
    '[]': /must be a JSON object/,
    '{"endpiont": "x"}': /no key "endpiont"; allowed are enable_kv_cache_events, publisher/,
    '{"buffer_steps": 0}': /"buffer_steps" must be a positive integer/,
    '{"hwm": -1}': /"hwm" must be a non-negative integer/,
    '{"publisher": "kafka"}': /"publisher" must be "null" or "zmq"/,
    '{"__proto__": 1}': /no key "__proto__"/,
  };
  for (const [text, sentence] of Object.entries(sentences)) {
    assert.throws(() => parseKvEventsConfig(text), InputError);
    assert.throws(() => parseKvEventsConfig(text), sentence);
  }
});
