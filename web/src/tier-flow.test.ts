import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineView } from '../../test/support/router-views.ts';
import { tierFlowOf } from './tier-flow.ts';

const rates = {
  ...{ promptTokensPerSecond: 1000, generationTokensPerSecond: 5, hitRate: 0.5 },
  ...{ hbmHitTokensPerSecond: 500, lowerTierTokensPerSecond: 100 },
};

test('what is in no tier is computed; dead engines do not count', () => {
  const engines = [
    engineView('a', { rates }),
    engineView('b', { rates }),
    engineView('c', { rates, state: 'dead' }),
  ];
  assert.deepEqual(tierFlowOf(engines), {
    ...{ prompt: 2000, hbm: 1000, lowerTiers: 200, computed: 800 },
  });
});

test('without rates there is no flow, and more hits than tokens are not negative', () => {
  assert.equal(tierFlowOf([engineView('a', { rates: null })]), undefined);
  const more = { ...rates, hbmHitTokensPerSecond: 5000 };
  assert.equal(tierFlowOf([engineView('a', { rates: more })])?.computed, 0);
});
