// The views of single requests.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type PickView,
  parsePickViews,
  parseRequestViews,
  type RequestView,
} from './request-views.ts';

const pick: PickView = {
  ...{ atSeconds: 1, requestId: 'r', model: null, promptTokens: 5, url: 'http://a' },
  engine: 'a',
  ...{ reason: 'its turn', cachedTokens: 0, candidates: ['http://a'], scores: [null, 1] },
};

const request: RequestView = {
  ...{ atSeconds: 1, requestId: 'r', model: 'm', url: null, engine: null, outcome: 'failed' },
  ...{ status: 404, ttftSeconds: null, seconds: 0.1, outputTokens: null },
  ...{ sentSeconds: null, attempts: 0, promptTokens: 5, cachedTokens: null },
};

test('a pick is read back whole, also of a policy without scores', () => {
  const unscored = { ...pick, scores: null };
  assert.deepEqual(parsePickViews(JSON.stringify([pick, unscored])), [pick, unscored]);
});

test('a request is read back whole, whether or not it reached an engine', () => {
  const served: RequestView = {
    ...{ ...request, url: 'http://a', engine: 'a', outcome: 'completed', status: 200 },
    ...{ ttftSeconds: 0.2, outputTokens: 7, sentSeconds: 0.01, attempts: 2, cachedTokens: 4 },
  };
  assert.deepEqual(parseRequestViews(JSON.stringify([request, served])), [request, served]);
});

test('an unknown outcome is refused with its position', () => {
  assert.throws(() => parseRequestViews(JSON.stringify([{ ...request, outcome: 'lost' }])), {
    message: '[0].outcome must be one of completed, cancelled, failed, not "lost"',
  });
});
