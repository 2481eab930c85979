import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogueCost } from './catalogue-cost.ts';
import { TierCosts } from './tier-costs.ts';

const engine = 'http://10.0.0.1:8000';

test('a load takes the bytes of the model at the rate of the tier', () => {
  const costs = new TierCosts({}, catalogueCost);
  // Qwen3-8B: 2 · 36 layers · 8 heads · 128 · 2 bytes.
  assert.equal(costs.loadSecondsPerToken('host', 'Qwen/Qwen3-8B', engine), 147_456 / 50e9);
  assert.equal(costs.loadSecondsPerToken('store', 'nosuch', engine), 131_072 / 1.875e9);
});

test('settings decide: bytes by model, and rates for all engines or for one', () => {
  const costs = new TierCosts({
    kvBytesPerToken: new Map([['nosuch', 1000]]),
    rates: { store: 1e9 },
    engineRates: new Map([[engine, { store: 1e6 }]]),
  });
  assert.equal(costs.loadSecondsPerToken('store', 'nosuch', 'http://10.0.0.2:8000'), 1e-6);
  assert.equal(costs.loadSecondsPerToken('store', 'nosuch', engine), 1e-3);
  assert.equal(costs.loadSecondsPerToken('host', 'nosuch', engine), 1000 / 50e9);
});

test('a token of a larger model takes longer to compute', () => {
  const costs = new TierCosts({}, catalogueCost);
  const small = costs.computeSecondsPerToken('Qwen/Qwen3-8B');
  assert.ok(small > 25e-6 && small < 40e-6, `${small}`);
  assert.ok(costs.computeSecondsPerToken('Qwen/Qwen3-32B') > 3 * small);
  assert.equal(costs.computeSecondsPerToken('nosuch'), 32e-6);
});
