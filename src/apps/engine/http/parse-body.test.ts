import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBody } from './parse-body.ts';

test('parses numbers that only Python writes, outside of strings', () => {
  const read = parseBody('{"a": NaN, "b": -Infinity, "c": "NaN \\" Infinity"}');
  assert.deepEqual(read, { a: Number.NaN, b: Number.NEGATIVE_INFINITY, c: 'NaN " Infinity' });
});

test('refuses a body nested deeper than Python’s recursion limit, as FastAPI does', () => {
  assert.throws(() => parseBody('['.repeat(5000)), /There was an error parsing the body/);
  const brackets = JSON.stringify('['.repeat(5000));
  assert.equal(parseBody(brackets), '['.repeat(5000));
});

test('reports invalid JSON with its position', () => {
  assert.throws(() => parseBody('{"a": }'), /'loc': 'body\.6', 'msg': 'JSON decode error'/);
});

test('keeps a far too large integer an integer', () => {
  const { a, b, c } = parseBody(`{"a": ${'9'.repeat(30)}, "b": -${'9'.repeat(30)}, "c": 1e30}`) as {
    readonly [key: string]: number;
  };
  assert.ok(Number(a) > 2 ** 64 && Number(a) < 1e21);
  assert.equal(b, -Number(a));
  assert.equal(c, 1e30);
});

test('ends a number with a leading zero after that zero', () => {
  assert.throws(() => parseBody('{"a":01}'), /'loc': 'body\.6'.*Expecting ',' delimiter/);
});
