import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slotOf } from './cluster-slots.ts';

test('keys have the slots that Redis Cluster gives them', () => {
  // From the cluster specification and `CLUSTER KEYSLOT` of Redis 7.
  assert.equal(slotOf('123456789'), 0x31c3 % 16_384);
  assert.equal(slotOf('foo'), 12_182);
  assert.equal(slotOf('bar'), 5_061);
  assert.equal(slotOf('hello'), 866);
  assert.equal(slotOf(''), 0);
});

test('the part in braces decides, if it is not empty', () => {
  assert.equal(slotOf('{user1000}.following'), slotOf('user1000'));
  assert.equal(slotOf('foo{bar}{zap}'), slotOf('bar'));
  assert.equal(slotOf('foo{{bar}}zap'), slotOf('{bar'));
  assert.notEqual(slotOf('foo{}{bar}'), slotOf('bar'));
});
