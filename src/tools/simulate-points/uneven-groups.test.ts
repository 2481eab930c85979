import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../core/base/index.ts';
import { waitingShareAtRandom } from './uneven-groups.ts';

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
