import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PrefixDemand } from './prefix-demand.ts';

/** 64 tokens a block. */
function chain(...hashes: number[]) {
  const promptTokens = 64 * hashes.length;
  const promptBytes = 4 * promptTokens;
  const blocks = { hashes: Float64Array.from(hashes), blockBytes: 256, blockTokens: 64 };
  return { ...blocks, promptBytes, promptTokens };
}

test('requests count if they share the prefix up to the given length', () => {
  const demand = new PrefixDemand();
  demand.sent(chain(1, 2, 3), 0);
  demand.sent(chain(1, 2, 9), 1);
  demand.sent(chain(1, 7), 1);
  demand.sent(chain(5), 1);
  const asked = chain(1, 2, 3, 4);
  const counts = [0, 63, 64, 128, 192, 256].map((tokens) => demand.requests(asked, tokens, 2));
  assert.deepEqual(counts, [0, 0, 3, 2, 1, 0]);
});

test('requests older than a few seconds no longer count', () => {
  const demand = new PrefixDemand();
  for (let second = 0; second < 10; second++) demand.sent(chain(1), second);
  assert.equal(demand.requests(chain(1), 64, 9), 6);
  assert.equal(demand.requests(chain(1), 64, 60), 0);
});

test('a prompt without blocks has no demand', () => {
  const demand = new PrefixDemand();
  const empty = { ...chain(), blockTokens: 0 };
  demand.sent(empty, 0);
  assert.equal(demand.requests(empty, 0, 0), 0);
});

test('only the last requests are remembered', () => {
  const demand = new PrefixDemand();
  for (let i = 0; i < 1000; i++) demand.sent(chain(1), 0);
  assert.equal(demand.requests(chain(1), 64, 0), 128);
});
