import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemIds } from './random-ids.ts';

test('ids have their lengths and are all different, over more draws than one', () => {
  const ids = systemIds();
  const seen = new Set<string>();
  for (let i = 0; i < 2_000; i++) {
    const traceId = ids.traceId();
    const spanId = ids.spanId();
    assert.match(traceId, /^[0-9a-f]{32}$/);
    assert.match(spanId, /^[0-9a-f]{16}$/);
    seen.add(traceId).add(spanId);
  }
  assert.equal(seen.size, 4_000);
});
