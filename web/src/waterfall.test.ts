import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PickView, RequestView } from '../../src/core/views/index.ts';
import { scoresOf, waterfallOf } from './waterfall.ts';

const request: RequestView = {
  ...{ atSeconds: 9, requestId: 'r', model: 'm', url: 'http://b', engine: 'b', status: 200 },
  ...{ outcome: 'completed', ttftSeconds: 0.5, seconds: 2, sentSeconds: 0.1, attempts: 1 },
  ...{ promptTokens: 100, cachedTokens: 60, outputTokens: 20 },
};
const pick: PickView = {
  ...{ atSeconds: 7, requestId: 'r', model: 'm', promptTokens: 100, url: 'http://b', engine: 'b' },
  ...{ reason: 'longest prefix', cachedTokens: 64, candidates: ['http://a', 'http://b'] },
  scores: [0.9, 0.4],
};

const parts = (changed: Partial<RequestView>) =>
  waterfallOf([{ ...request, ...changed }], [])[0]?.parts.map(
    ({ name, seconds }) => `${name} ${seconds.toFixed(2)}`,
  );

test('a streamed request was in the router, in prefill and in decode', () => {
  assert.deepEqual(parts({}), ['router 0.10', 'prefill 0.40', 'decode 1.50']);
});

test('a request without a first token has one part on its engine', () => {
  assert.deepEqual(parts({ ttftSeconds: null }), ['router 0.10', 'engine 1.90']);
});

test('a request that no engine got was in the router only', () => {
  assert.deepEqual(parts({ sentSeconds: null, ttftSeconds: null }), ['router 2.00']);
});

test('a stream that moved had its first token from another engine', () => {
  assert.deepEqual(parts({ sentSeconds: 1.2 }), ['router 1.20', 'engine 0.80']);
});

test('the pick is that of the engine that answered, with the scores of all candidates', () => {
  const other = { ...pick, url: 'http://a' };
  const [row] = waterfallOf([request], [other, pick]);
  assert.equal(row?.pick, pick);
  assert.deepEqual(
    scoresOf(pick, (url) => url.slice(-1)),
    [
      { name: 'b', score: 0.4, isPicked: true },
      { name: 'a', score: 0.9, isPicked: false },
    ],
  );
});
