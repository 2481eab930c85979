import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyOperations } from './key-operations.ts';

test('operations are numbered from 0, each once', () => {
  const operations = new KeyOperations();
  assert.ok(operations.admit(1n));
  assert.ok(!operations.admit(1n), 'it has it already');
  assert.ok(!operations.evict(2n), 'it never had it');
  assert.ok(operations.evict(1n));
  assert.deepEqual(operations.take(), [
    { op_type: 'admit', key: 1n, seq_num: 0 },
    { op_type: 'evict', key: 1n, seq_num: 1 },
  ]);
  operations.admit(3n);
  assert.deepEqual(operations.take(), [{ op_type: 'admit', key: 3n, seq_num: 2 }]);
});

test('operations that are skipped leave a gap in the numbers', () => {
  const operations = new KeyOperations();
  operations.admit(1n);
  operations.skip();
  operations.admit(2n);
  assert.deepEqual(operations.take(), [{ op_type: 'admit', key: 2n, seq_num: 1 }]);
});

test('a worker that registers reports all its keys from number 0', () => {
  const operations = new KeyOperations();
  for (const key of [1n, 2n, 3n]) operations.admit(key);
  operations.take();
  operations.evict(2n);
  operations.restart();
  assert.deepEqual(operations.take(), [
    { op_type: 'admit', key: 1n, seq_num: 0 },
    { op_type: 'admit', key: 3n, seq_num: 1 },
  ]);
});

test('operations that no controller takes are bounded', () => {
  const operations = new KeyOperations();
  for (let key = 0n; key < 70_000n; key++) operations.admit(key);
  assert.ok(operations.waiting <= 65_536);
  assert.equal(operations.keys.size, 70_000);
});
