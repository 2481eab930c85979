import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../core/base/index.ts';
import { waitingShareAtRandom, waitsByOldCounts } from './uneven-groups.ts';

test('one group, or places for all in each, leaves nobody waiting', () => {
  assert.equal(waitingShareAtRandom(100, 1, 10), 0);
  assert.equal(waitingShareAtRandom(4, 2, 4), 0);
  assert.equal(waitingShareAtRandom(4, 2, 5), 0);
});

test('two clients at two groups of one place: in half of the cases one of the two waits', () => {
  assert.ok(Math.abs(waitingShareAtRandom(2, 2, 1) - 0.25) < 1e-12);
});

test('the share equals that of random assignments', () => {
  const random = seededRandom(1);
  for (const [clients, groups, places] of [
    [7, 4, 2],
    [9, 2, 5],
    [64, 8, 8],
  ] as const) {
    const draws = 20_000;
    let waiting = 0;
    for (let draw = 0; draw < draws; draw++) {
      const counts = new Array<number>(groups).fill(0);
      for (let i = 0; i < clients; i++) {
        const group = Math.floor(random.next() * groups);
        counts[group] = (counts[group] as number) + 1;
      }
      for (const count of counts) waiting += Math.max(0, count - places);
    }
    const share = waitingShareAtRandom(clients, groups, places);
    assert.ok(Math.abs(share - waiting / draws / clients) < 0.003, `${clients}: ${share}`);
  }
});

test('many clients have many binomial terms, and the share stays finite', () => {
  const share = waitingShareAtRandom(20_000, 8, 2500);
  assert.ok(share > 0 && share < 0.02, `${share}`);
});

/** Two groups of Qwen3-235B on H200, prompts of 2,000 tokens and responses of 2,000. */
const two = {
  ...{ groups: 2, outputTokens: 2000, stepSeconds: 0.058 },
  ...{ promptSeconds: 0.22, promptsPerStep: 1.75 },
};

test('with old counts, requests wait though the other group has a place, for seconds on average', () => {
  const { meanSeconds, share } = waitsByOldCounts({ ...two, clients: 9, places: 5 });
  // Measured: a TTFT of 3.2 s where prompts take 0.6.
  assert.ok(meanSeconds > 1 && meanSeconds < 4, `${meanSeconds} s`);
  assert.ok(share > 0.005 && share < 0.05, `${share}`);
});

test('a place to spare in each group prevents most waits', () => {
  const spare = waitsByOldCounts({ ...two, groups: 4, clients: 4, places: 2 });
  const none = waitsByOldCounts({ ...two, groups: 4, clients: 4, places: 1 });
  assert.ok(spare.meanSeconds < none.meanSeconds / 5, `${spare.meanSeconds} ${none.meanSeconds}`);
  assert.deepEqual(waitsByOldCounts({ ...two, clients: 8, places: 8 }), {
    meanSeconds: 0,
    share: 0,
  });
  assert.deepEqual(waitsByOldCounts({ ...two, groups: 1, clients: 8, places: 4 }), {
    meanSeconds: 0,
    share: 0,
  });
});

test('old counts cost less than none: requests wait for less time than with random assignment', () => {
  for (const [clients, groups] of [
    [9, 2],
    [8, 4],
    [16, 4],
  ] as const) {
    const places = Math.floor(clients / groups) + 1;
    const { meanSeconds } = waitsByOldCounts({ ...two, groups, clients, places });
    const responseSeconds = two.outputTokens * two.stepSeconds;
    const random = waitingShareAtRandom(clients, groups, places) * responseSeconds;
    assert.ok(meanSeconds < random, `${clients}: ${meanSeconds} s, ${random} s`);
  }
});
