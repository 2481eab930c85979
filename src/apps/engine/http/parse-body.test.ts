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

test('an integer that is far too large stays an integer', () => {
  const { a, b, c } = parseBody(`{"a": ${'9'.repeat(30)}, "b": -${'9'.repeat(30)}, "c": 1e30}`) as {
    readonly [key: string]: number;
  };
  assert.ok(Number(a) > 2 ** 64 && Number(a) < 1e21);
  assert.equal(b, -Number(a));
  assert.equal(c, 1e30);
});

test('a number with a leading zero ends after it', () => {
  assert.throws(() => parseBody('{"a":01}'), /'loc': 'body\.6'.*Expecting ',' delimiter/);
});
