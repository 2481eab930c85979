import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonFault } from './json-fault.ts';

test('reports position and message of a fault like Python’s json', () => {
  // As reported by json.loads of Python 3.11.
  const faults: readonly (readonly [string, number, string])[] = [
    ['{"a": }', 6, 'Expecting value'],
    ['{a}', 1, 'Expecting property name enclosed in double quotes'],
    ['[1,]', 3, 'Expecting value'],
    ['{"a":1,}', 7, 'Expecting property name enclosed in double quotes'],
    ['nul', 0, 'Expecting value'],
    ['{"a" 1}', 5, "Expecting ':' delimiter"],
    ['"abc', 0, 'Unterminated string starting at'],
    ['[1 2]', 3, "Expecting ',' delimiter"],
    ['{} x', 3, 'Extra data'],
    ['{"a": [', 7, 'Expecting value'],
    ['"a\nb"', 2, 'Invalid control character at'],
    ['{"a":"b\tc"}', 7, 'Invalid control character at'],
    ['{"a": "b\\q", "c": 1}', 8, 'Invalid \\escape'],
    ['"a\\u12zz"', 3, 'Invalid \\uXXXX escape'],
    ['"a\\', 0, 'Unterminated string starting at'],
  ];
  for (const [text, position, words] of faults) {
    assert.deepEqual(jsonFault(text), { position, words }, text);
  }
});
