import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSaturated, leastLoad, type SaturationOptions } from './saturation.ts';

const idle = { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0 };

function saturated(
  favourite: Partial<typeof idle>,
  least: Partial<typeof idle> = {},
  { cachedTokens = 0, ...options }: SaturationOptions & { readonly cachedTokens?: number } = {},
): boolean {
  return isSaturated({ ...idle, ...favourite }, { ...idle, ...least }, cachedTokens, options);
}

test('the favourite is left when its queue exceeds the shortest by more than the cached tokens plus 50,000', () => {
  const cachedTokens = 1000;
  assert.equal(
    saturated({ prefillTokens: 53_000 }, { prefillTokens: 2000 }, { cachedTokens }),
    false,
  );
  assert.equal(
    saturated({ prefillTokens: 53_001 }, { prefillTokens: 2000 }, { cachedTokens }),
    true,
  );
  assert.equal(saturated({ prefillTokens: 101 }, {}, { releaseTokens: 100 }), true);
});

test('the favourite is left when it has 33 more requests than the least loaded engine', () => {
  assert.equal(saturated({ inflight: 32 }), false);
  assert.equal(saturated({ inflight: 33 }), true);
  assert.equal(saturated({ inflight: 9 }, {}, { releaseRequests: 8 }), true);
});

test('under high load, the favourite must also have more than 1.5 times the requests', () => {
  assert.equal(saturated({ inflight: 150 }, { inflight: 100 }), false);
  assert.equal(saturated({ inflight: 151 }, { inflight: 100 }), true);
});

test('the least load takes each count from the engine with the lowest', () => {
  const loads = [
    { ...idle, inflight: 3, prefillTokens: 10 },
    { ...idle, inflight: 1, prefillTokens: 30 },
  ];
  const engines = loads.map((load, i) => ({ url: `${i}`, models: [], load, reported: undefined }));
  assert.deepEqual(leastLoad(engines), { prefillTokens: 10, inflight: 1 });
});
