import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addLoads, noTiers, type TierIndex, type TierRun, tierRates } from './cache-tiers.ts';
import type { Endpoint, RoutingRequest } from './contract.ts';

const load = { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0 };
const engine = (url: string): Endpoint => ({ url, models: ['m'], load, reported: undefined });
const request: RoutingRequest = {
  ...{ id: 'r', model: 'm', session: undefined, prompt: [], promptTokens: 1025 },
  ...{ tokens: new Uint32Array(1025), outputTokensMax: undefined, stream: true },
};

/** One second per token in host memory, ten in the store. */
function tiersOf(...runs: (readonly TierRun[])[]): TierIndex {
  return {
    isLive: true,
    match: () => runs,
    loadSecondsPerToken: (tier) => (tier === 'host' ? 1 : 10),
    computeSecondsPerToken: () => 100,
  };
}

function loadsOf(tiers: TierIndex, cached: readonly number[], of: RoutingRequest = request) {
  const tokens = Float64Array.from(cached);
  const seconds = new Float64Array(cached.length);
  addLoads(
    tiers,
    of,
    cached.map((_, i) => engine(`e${i}`)),
    tokens,
    seconds,
  );
  return { tokens: [...tokens], seconds: [...seconds] };
}

test('an engine loads each part of a prompt from the fastest tier that has it', () => {
  const runs: TierRun[] = [
    { tier: 'host', endTokens: 512 },
    { tier: 'store', endTokens: 768 },
  ];
  assert.deepEqual(loadsOf(tiersOf(runs, []), [0, 0]), {
    tokens: [768, 0],
    seconds: [512 + 2560, 0],
  });
});

test('what is on the GPU is not loaded', () => {
  const runs: TierRun[] = [
    { tier: 'host', endTokens: 512 },
    { tier: 'store', endTokens: 768 },
  ];
  const { tokens, seconds } = loadsOf(tiersOf(runs, runs, runs), [500, 600, 800]);
  assert.deepEqual(tokens, [768, 768, 800]);
  assert.deepEqual(seconds, [12 + 2560, 1680, 0]);
});

test('the last token of a prompt is computed', () => {
  const whole = { ...request, promptTokens: 1024, tokens: new Uint32Array(1024) };
  const tiers = tiersOf([{ tier: 'host', endTokens: 1024 }]);
  assert.deepEqual(loadsOf(tiers, [0], whole), { tokens: [1023], seconds: [1023] });
});

test('nothing is loaded without the tokens of a prompt, or while nothing is known', () => {
  const tiers = tiersOf([{ tier: 'host', endTokens: 512 }]);
  const none = { tokens: [16], seconds: [0] };
  assert.deepEqual(loadsOf(tiers, [16], { ...request, tokens: undefined }), none);
  assert.deepEqual(loadsOf({ ...tiers, isLive: false }, [16]), none);
});

test('by default, a tier that is farther away costs more', () => {
  const prices = (['host', 'disk', 'store'] as const).map((tier) =>
    noTiers.loadSecondsPerToken(tier, request, engine('a')),
  );
  assert.deepEqual(
    prices,
    [...prices].sort((a, b) => a - b),
  );
  assert.equal(prices[0], 131_072 / tierRates.host);
});
