import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inlineWords } from './inline-words.ts';

// Checked against Redis 7.0.15.
test('words, quotes and escapes are read as Redis reads them', () => {
  const cases: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['', []],
    [' \t\v\f ', []],
    ['SET  "a b" \'c"d\'', ['SET', 'a b', 'c"d']],
    ['GET "a\\x20b"', ['GET', 'a b']],
    ['"a\\n\\r\\t\\b\\a\\\\\\"z"', ['a\n\r\t\b\x07\\"z']],
    ['"v\\x41\\xfg"', ['vAxfg']],
    ["'it\\'s' '\\n'", ["it's", '\\n']],
    ['a"b"', ['ab']],
    ['\u00ff "\u00ff\\xff"', ['\u00ff', '\u00ff\u00ff']],
    ['GET a\0b', ['GET', 'a']],
    ["it's", undefined],
    ['"x"y', undefined],
    ["'a'b", undefined],
    ['a"b c', undefined],
    ['"a\\', undefined],
  ];
  for (const [line, words] of cases) assert.deepEqual(inlineWords(line), words, line);
});
