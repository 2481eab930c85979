import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandTurns } from './command-turns.ts';

test('what waits goes on in order, as much in each turn as may be spent', () => {
  const immediates: (() => void)[] = [];
  const turns = new CommandTurns((callback) => void immediates.push(callback), 10);
  const turn = () => {
    for (const callback of immediates.splice(0)) callback();
  };
  const log: string[] = [];
  assert.equal(turns.spend(9), true);
  assert.equal(turns.spend(20), false);
  for (const [name, cost] of [
    ['a', 4],
    ['b', 7],
    ['c', 100],
    ['d', 1],
  ] as const) {
    turns.next(() => {
      log.push(name);
      turns.spend(cost);
      if (name === 'a') turns.next(() => log.push('a again'));
    });
  }
  assert.deepEqual(log, []);
  turn();
  assert.deepEqual(log.splice(0), ['a', 'b']);
  assert.equal(turns.isSpent, true);
  turn();
  assert.deepEqual(log.splice(0), ['c']);
  turn();
  assert.deepEqual(log.splice(0), ['d', 'a again']);
  assert.equal(turns.isSpent, false);
});
