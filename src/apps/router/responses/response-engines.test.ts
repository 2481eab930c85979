import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResponseEngines } from './response-engines.ts';

function begin(max?: number) {
  const state = { seconds: 0 };
  return { state, engines: new ResponseEngines({ nowSeconds: () => state.seconds }, max) };
}

test('an engine is known by the id of its response, for a day after the last use', () => {
  const { state, engines } = begin();
  engines.learn('resp_1', 'http://a');
  state.seconds = 80_000;
  assert.equal(engines.of('resp_1'), 'http://a');
  state.seconds = 160_000;
  assert.equal(engines.of('resp_1'), 'http://a');
  state.seconds = 250_000;
  assert.equal(engines.of('resp_1'), undefined);
  assert.equal(engines.size, 0);
});

test('of too many responses, the one used least recently is forgotten', () => {
  const { engines } = begin(2);
  engines.learn('a', 'http://a');
  engines.learn('b', 'http://b');
  engines.of('a');
  engines.learn('c', 'http://c');
  assert.deepEqual(
    ['a', 'b', 'c'].map((id) => engines.of(id)),
    ['http://a', undefined, 'http://c'],
  );
  assert.deepEqual(engines.newest(1), [['c', 'http://c']]);
});

test('ids that are long or not printable are not kept, and not told', () => {
  const { engines } = begin();
  const told: string[] = [];
  engines.onLearned = (id) => told.push(id);
  for (const id of ['', 'a b', 'é', 'x'.repeat(257), 'x'.repeat(256)])
    engines.learn(id, 'http://a');
  assert.deepEqual([engines.size, told.length], [1, 1]);
});

test('what peers tell is not told again', () => {
  const { engines } = begin();
  engines.onLearned = () => assert.fail('told');
  engines.remember('resp_1', 'http://a');
  assert.equal(engines.of('resp_1'), 'http://a');
});
