import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBody } from './parse-body.ts';

test('numbers that only Python writes are read, outside of strings', () => {
  const read = parseBody('{"a": NaN, "b": -Infinity, "c": "NaN \\" Infinity"}');
  assert.deepEqual(read, { a: Number.NaN, b: Number.NEGATIVE_INFINITY, c: 'NaN " Infinity' });
});

test('a body nested deeper than Python recurses is refused as by FastAPI', () => {
  assert.throws(() => parseBody('['.repeat(5000)), /There was an error parsing the body/);
  const brackets = JSON.stringify('['.repeat(5000));
  assert.equal(parseBody(brackets), '['.repeat(5000));
});

test('what is no JSON is reported with its place', () => {
  assert.throws(() => parseBody('{"a": }'), /'loc': 'body\.6', 'msg': 'JSON decode error'/);
});
