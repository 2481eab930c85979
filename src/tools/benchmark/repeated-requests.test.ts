import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadApis } from './load-api.ts';
import { repeatedRequests } from './repeated-requests.ts';

const lapTraffic = (lap: number) => ({
  requests: [0.5, 1, 2].map((arrivalSeconds) => ({
    arrivalSeconds,
    promptTokens: 1,
    outputTokens: 1,
    blockIds: [1],
  })),
  writer: { api: loadApis.chat, body: () => Buffer.from(`lap ${lap}`), serverTokens: () => 1 },
});

test('laps follow each other without a gap, each with its own bodies', () => {
  const source = repeatedRequests(lapTraffic);
  const taken = Array.from({ length: 7 }, () => {
    const due = source.nextSeconds;
    const { request, body } = source.take();
    assert.equal(request.arrivalSeconds, due);
    return [due, String(body)];
  });
  assert.deepEqual(taken, [
    [0.5, 'lap 0'],
    [1, 'lap 0'],
    [2, 'lap 0'],
    [2.5, 'lap 1'],
    [3, 'lap 1'],
    [4, 'lap 1'],
    [4.5, 'lap 2'],
  ]);
});

test('bodies of the current lap are prepared; how many requests there will be is not known', () => {
  const source = repeatedRequests(lapTraffic);
  assert.deepEqual(
    [source.prepare(), source.prepare(), source.prepare(), source.prepare()],
    [true, true, true, false],
  );
  assert.deepEqual(
    [source.count, source.requests, source.needsTexts],
    [undefined, undefined, false],
  );
});
