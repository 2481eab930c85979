import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EndedRequest, RecentRequests } from './recent-requests.ts';

const nameOf = (url: string) => `name of ${url}`;

const streamed: EndedRequest = {
  atSeconds: 12.5,
  requestId: 'streamed',
  model: 'm',
  url: 'http://a',
  outcome: 'completed',
  status: 200,
  ttftSeconds: 0.25,
  seconds: 1.5,
  sentSeconds: 0.125,
  attempts: 2,
  promptTokens: 40,
  cachedTokens: 32,
  outputTokens: 7,
};

/** Refused before an engine was picked. */
const refused: EndedRequest = {
  atSeconds: 13,
  requestId: 'refused',
  model: null,
  url: null,
  outcome: 'failed',
  status: 503,
  ttftSeconds: undefined,
  seconds: 0.001,
  sentSeconds: undefined,
  attempts: 0,
  promptTokens: 4,
  cachedTokens: undefined,
  outputTokens: undefined,
};

test('requests come back as they ended, oldest first, with the names of their engines', () => {
  const recent = new RecentRequests();
  assert.deepEqual(recent.views(nameOf), []);
  recent.add(streamed);
  recent.add(refused);
  assert.deepEqual(recent.views(nameOf), [
    { ...streamed, engine: 'name of http://a' },
    {
      ...{ ...refused, engine: null, ttftSeconds: null, outputTokens: null },
      ...{ sentSeconds: null, cachedTokens: null },
    },
  ]);
});

test('the last 256 requests are kept', () => {
  const recent = new RecentRequests();
  for (let i = 0; i < 300; i++) recent.add({ ...streamed, requestId: `r${i}`, outputTokens: i });
  const views = recent.views(nameOf);
  assert.deepEqual(
    views.map(({ requestId }) => requestId),
    Array.from({ length: 256 }, (_, i) => `r${i + 44}`),
  );
  assert.deepEqual([views[0]?.outputTokens, views[255]?.outputTokens], [44, 299]);
});
