// Prefix hits without service times against the figures published for the conversation trace, so
// that engines can be checked against them.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { prefixHits } from '../../src/core/simulation/index.ts';
import type { TraceRequest } from '../../src/core/traces/index.ts';
import { loadTrace } from '../../src/io/traces/index.ts';

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
  const expected: readonly (readonly [number, string, string])[] = [
    [500, '0.0422', '0.0430'],
    [1000, '0.0445', '0.0454'],
    [2000, '0.0543', '0.0554'],
    [5000, '0.1118', '0.1140'],
    [5859, '0.1361', '0.1387'],
    [10_000, '0.2116', '0.2157'],
    [20_000, '0.2878', '0.2935'],
    [50_000, '0.3546', '0.3615'],
    [97_656, '0.3635', '0.3707'],
    [Number.POSITIVE_INFINITY, '0.3664', '0.3736'],
  ];
  for (const [blocksMax, blockRate, tokenRate] of expected) {
    const { blockHit, tokenHit } = prefixHits(requests, { blockTokens, blocksMax, engines: 1 });
    assert.deepEqual(
      [blockHit.toFixed(4), tokenHit.toFixed(4)],
      [blockRate, tokenRate],
      `${blocksMax} blocks`,
    );
  }
});

test('a fleet hits as often as computed independently, under round robin and by prefix and load', () => {
  const infinite = Number.POSITIVE_INFINITY;
  const expected: readonly (readonly [number, number, string, string, string | undefined])[] = [
    [4, 1000, '0.0544', '0.0875', '1.00'],
    [4, 5000, '0.1239', '0.2935', undefined],
    [8, 5000, '0.1087', '0.3575', undefined],
    [8, infinite, '0.1390', '0.3736', '1.01'],
  ];
  for (const [engines, blocksMax, inTurn, byPrefix, spread] of expected) {
    const options = { blockTokens, blocksMax, engines };
    const what = `${engines} engines of ${blocksMax} blocks`;
    assert.equal(prefixHits(requests, options).tokenHit.toFixed(4), inTurn, what);
    const found = prefixHits(requests, { ...options, policy: 'prefix-load' });
    assert.equal(found.tokenHit.toFixed(4), byPrefix, what);
    if (spread !== undefined) assert.equal(found.spread.toFixed(2), spread, what);
  }
});

// A tier below, 8 engines with 1,000 blocks each; private and pooled. Source: the independent figures
// that the other tables here are from.
const twoTiers = [
  ['roundrobin', 0, 0.0625, 0.0625],
  ['roundrobin', 1000, 0.0625, 0.182],
  ['roundrobin', 4000, 0.1, 0.3385],
  ['prefix-load', 0, 0.1812, 0.1812],
  ['prefix-load', 1000, 0.1812, 0.1861],
  ['prefix-load', 4000, 0.2048, 0.3385],
] as const;

test('a tier below the caches finds what the independent figures say, private and pooled', () => {
  for (const [policy, cpuBlocksMax, alone, together] of twoTiers) {
    const common = { blockTokens, blocksMax: 1000, engines: 8 };
    const options = { ...common, policy, cpuBlocksMax };
    const what = `${policy}, ${cpuBlocksMax} blocks`;
    assert.equal(prefixHits(requests, options).tokenHit.toFixed(4), alone.toFixed(4), what);
    const pooled = prefixHits(requests, { ...options, pooled: true });
    assert.equal(pooled.tokenHit.toFixed(4), together.toFixed(4), what);
  }
});

test('a private mirror no larger than the cache gains nothing, block for block', () => {
  for (const policy of ['roundrobin', 'prefix-load'] as const) {
    const options = { blockTokens, blocksMax: 1000, engines: 8, policy };
    const plain = prefixHits(requests, options);
    assert.deepEqual(prefixHits(requests, { ...options, cpuBlocksMax: 1000 }), plain);
  }
});
