import assert from 'node:assert/strict';
import { test } from 'node:test';
import { secretCheck } from './index.ts';

test('accepts the secret only, not one that is longer, shorter, empty or differs in a letter', () => {
  const isRight = secretCheck('sk-1é');
  const given = ['sk-1é', 'sk-1e', 'sk-1', 'sk-1é ', '', 'SK-1é'];
  assert.deepEqual(given.map(isRight), [true, false, false, false, false, false]);
});
