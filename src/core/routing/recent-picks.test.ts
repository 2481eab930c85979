import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint, Pick } from './contract.ts';
import { RecentPicks } from './recent-picks.ts';

const endpoint = (url: string) => ({ url }) as Endpoint;
const [a, b] = [endpoint('http://a'), endpoint('http://b')];

function pick(of: Partial<Pick> = {}): Pick {
  return { endpoint: a, reason: 'load', cachedTokens: 3, scores: [1, 2], ...of } as Pick;
}

test('a pick is kept with when, what, where and why it was', () => {
  const recent = new RecentPicks(2);
  const made = { requestId: 'r', model: 'm', promptTokens: 10, candidates: [a, b] };
  recent.add({ ...made, atSeconds: 1.5, pick: pick(), isHedge: false });
  recent.add({ ...made, atSeconds: 2.5, pick: pick({ endpoint: b }), isHedge: true });
  assert.deepEqual(recent.all(), [
    {
      ...{ atSeconds: 1.5, requestId: 'r', model: 'm', promptTokens: 10, url: 'http://a' },
      ...{ reason: 'load', cachedTokens: 3, candidates: ['http://a', 'http://b'], scores: [1, 2] },
    },
    {
      ...{ atSeconds: 2.5, requestId: 'r', model: 'm', promptTokens: 10, url: 'http://b' },
      reason: 'hedge, as the first byte is late: load',
      ...{ cachedTokens: 3, candidates: ['http://a', 'http://b'], scores: [1, 2] },
    },
  ]);
});

test('only the last picks are kept, oldest first', () => {
  const recent = new RecentPicks(3);
  for (let i = 0; i < 7; i++) {
    const made = { requestId: String(i), model: undefined, promptTokens: i, candidates: [a] };
    recent.add({ ...made, atSeconds: i, pick: pick(), isHedge: false });
  }
  assert.deepEqual(
    recent.all().map(({ requestId, atSeconds }) => [requestId, atSeconds]),
    [
      ['4', 4],
      ['5', 5],
      ['6', 6],
    ],
  );
});
