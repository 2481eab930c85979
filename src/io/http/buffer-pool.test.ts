import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BufferPool } from './buffer-pool.ts';

test('a buffer is at least as long as requested, and is reused for the next one of its size', () => {
  const pool = new BufferPool({ keptBytesMax: 1_048_576 });
  for (const length of [1, 4095, 4096, 4097, 8192, 8193, 225_280, 1_048_576]) {
    const buffer = pool.take(length);
    assert.ok(buffer.length >= length && buffer.length < Math.max(8192, 2 * length));
    pool.give(buffer);
    assert.equal(pool.take(length), buffer);
    assert.equal(pool.keptBytes, 0);
  }
});

test('a buffer is never taken twice', () => {
  const pool = new BufferPool({ keptBytesMax: 1_048_576 });
  pool.give(pool.take(5000));
  assert.notEqual(pool.take(5000), pool.take(5000));
});

test('the pool keeps no more bytes than its bound', () => {
  const pool = new BufferPool({ keptBytesMax: 20_000 });
  for (const buffer of [pool.take(8192), pool.take(8192), pool.take(8192)]) pool.give(buffer);
  assert.equal(pool.keptBytes, 16_384);
});
