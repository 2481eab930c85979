import assert from 'node:assert/strict';
import { test } from 'node:test';
import { counted } from './index.ts';

test('prints a count with its noun, singular for one', () => {
  assert.deepEqual(
    [
      counted(1, 'engine'),
      counted(0, 'engine'),
      counted(2000, 'engine'),
      counted(1, 'reply', 'replies'),
    ],
    ['1 engine', '0 engines', '2,000 engines', '1 reply'],
  );
  assert.equal(counted(2, 'reply', 'replies'), '2 replies');
});
