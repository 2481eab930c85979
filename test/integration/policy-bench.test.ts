// What bench/policies says of policies, on little traffic.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cells } from '../../bench/policies/cells.ts';
import { floorName, play, type Score } from '../../bench/policies/play.ts';
import { verdictOf } from '../../bench/policies/verdict.ts';

async function scoresOf(name: string, policies: readonly string[], routers = 1) {
  const cell = cells.find((c) => c.name === name);
  assert.ok(cell);
  const job = { cell: name, routers, seed: 1, requests: 300, policies };
  const scores = await play(cell, job);
  return new Map(scores.map((score) => [score.policy, score]));
}

for (const cell of ['conversation-2', 'agents', 'azure-code']) {
  test(`${cell}: no policy is below the floor, the one that knows the future included`, async () => {
    const scores = await scoresOf(cell, ['clairvoyant', 'predictive', 'dynamo']);
    const floor = scores.get(floorName)?.ttftP90Seconds ?? Number.NaN;
    assert.ok(floor > 0);
    for (const { policy, ttftP90Seconds } of scores.values()) {
      assert.ok(ttftP90Seconds >= floor, `${policy}: ${ttftP90Seconds} s, floor ${floor} s`);
    }
  });
}

for (const name of ['predictive-without-sharing', 'predictive-without-events']) {
  test(`three routers that only remember what they sent miss; ${name} does not`, async () => {
    const scores = await scoresOf('llmd-73-20', [name, 'predictive-alone'], 3);
    const [told, alone] = [scores.get(name), scores.get('predictive-alone')];
    assert.ok(alone && told);
    assert.ok(told.hitRate > alone.hitRate + 0.15, `${told.hitRate} against ${alone.hitRate}`);
    assert.ok(told.ttftP90Seconds < alone.ttftP90Seconds / 2);
  });
}

test('three routers that tell each other what they send wait as one router does, not longer', async () => {
  const three = await scoresOf('llmd-73-40', ['predictive', 'predictive-without-sharing'], 3);
  const one = await scoresOf('llmd-73-40', ['predictive']);
  const seconds = (scores: typeof one, name: string) =>
    scores.get(name)?.ttftP90Seconds ?? Number.NaN;
  assert.ok(seconds(three, 'predictive') < 1.2 * seconds(one, 'predictive'));
  assert.ok(seconds(three, 'predictive-without-sharing') > 1.5 * seconds(one, 'predictive'));
});

for (const [own, rival, state] of [
  [[1, 2, 3], [1.1, 2.1, 3.1], 'best'],
  [[1.2, 2, 3], [1.1, 2.05, 3], 'noise'],
  [[1.2, 2.2, 3.2], [1, 2, 3], 'behind'],
] as const) {
  test(`a p90 of ${own} s against ${rival} s is ${state}`, () => {
    const score = (policy: string, ttftP90Seconds: number, seed: number): Score => ({
      ...{ cell: 'c', routers: 1, seed, policy, ttftP90Seconds, goodput: 1, hitRate: 0 },
    });
    const scores = own.flatMap((x, seed) => [
      score('predictive', x, seed),
      score('dynamo', rival[seed] as number, seed),
      score('clairvoyant', 0.1, seed),
    ]);
    assert.deepEqual(
      { ...verdictOf(scores, 'ttftP90Seconds'), ratio: 0 },
      { rival: 'dynamo', state, ratio: 0 },
    );
  });
}
