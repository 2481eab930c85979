import assert from 'node:assert/strict';
import { test } from 'node:test';
import { globMatcher } from './glob.ts';

// Checked against Redis 7.0.15 with SCAN 0 MATCH.
test('patterns match the keys that they match in Redis', () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['k*', 'key', true],
    ['k*y', 'keyy', true],
    ['k*y', 'keys', false],
    ['a*b*c', 'aXbXbXc', true],
    ['h?llo', 'hallo', true],
    ['h?llo', 'hllo', false],
    ['h[ae]llo', 'hello', true],
    ['h[^e]llo', 'hello', false],
    ['h[a-c]llo', 'hbllo', true],
    ['h[c-a]llo', 'hbllo', true],
    ['h[\\]]llo', 'h]llo', true],
    ['h\\*llo', 'h*llo', true],
    ['h\\*llo', 'hello', false],
    ['[ab', 'a', true],
    ['a\\', 'a\\', true],
  ];
  for (const [pattern, key, matches] of cases) {
    assert.equal(globMatcher(pattern)(key), matches, `${pattern} ${key}`);
  }
});

test('a pattern of many stars takes no exponential time', () => {
  assert.equal(globMatcher(`${'a*'.repeat(2000)}b`)('a'.repeat(4000)), false);
});
