import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commaList } from './index.ts';

test('splits comma-separated lists without blanks and empty items', () => {
  assert.deepEqual(commaList(' a, b,,'), ['a', 'b']);
  assert.deepEqual(commaList(' , '), []);
});
