// The reference cache against the figures published for the conversation trace, so that engines
// can be checked against the reference.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { TraceRequest } from '../../src/core/workload/index.ts';
import { loadTrace } from '../../src/io/traces/index.ts';
import { tokenHitRate } from '../support/reference-cache.ts';

let requests: readonly TraceRequest[];
before(async () => {
  ({ requests } = await loadTrace('bench/data/mooncake-conversation.jsonl.gz'));
});

const blockTokens = 512;

test('the conversation trace has its 12,031 requests and lengths', () => {
  const inputs = requests.map((request) => request.promptTokens).toSorted((a, b) => a - b);
  assert.equal(inputs.length, 12_031);
  assert.equal(Math.round(inputs.reduce((a, b) => a + b) / inputs.length), 12_035);
  assert.equal(inputs.at(-1), 126_195);
  assert.ok(
    requests.every(({ blockIds }) => blockIds[0] === 0),
    'all share block 0',
  );
});

test('one cache hits as often as computed independently, at every capacity', () => {
  const expected: readonly (readonly [number, string])[] = [
    [500, '0.0430'],
    [1000, '0.0454'],
    [2000, '0.0554'],
    [5000, '0.1140'],
    [10_000, '0.2157'],
    [50_000, '0.3615'],
    [Number.POSITIVE_INFINITY, '0.3736'],
  ];
  for (const [blocksMax, rate] of expected) {
    const found = tokenHitRate(requests, { blockTokens, blocksMax, engines: 1 });
    assert.equal(found.toFixed(4), rate, `${blocksMax} blocks`);
  }
});

test('a fleet under round robin hits as often as computed independently', () => {
  const expected: readonly (readonly [number, number, string])[] = [
    [4, 1000, '0.0544'],
    [4, 5000, '0.1239'],
    [8, 5000, '0.1087'],
    [8, Number.POSITIVE_INFINITY, '0.1390'],
  ];
  for (const [engines, blocksMax, rate] of expected) {
    const found = tokenHitRate(requests, { blockTokens, blocksMax, engines });
    assert.equal(found.toFixed(4), rate, `${engines} engines of ${blocksMax} blocks`);
  }
});
