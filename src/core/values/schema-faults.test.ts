import assert from 'node:assert/strict';
import { test } from 'node:test';
import { valueAt } from './schema-faults.ts';

test('a value is found by its path, through maps and lists, among their own keys only', () => {
  const plain = { a: [{ b: null }, 7] };
  assert.equal(valueAt(plain, []), plain);
  assert.equal(valueAt(plain, ['a', 0, 'b']), null);
  assert.equal(valueAt(plain, ['a', 1]), 7);
  for (const path of [
    ['toString'],
    ['a', 'length', 0],
    ['a', 0, 'b', 'c'],
    ['a', 2, 'b'],
    ['x', 'y'],
  ]) {
    assert.equal(valueAt(plain, path), undefined, path.join('.'));
  }
});
