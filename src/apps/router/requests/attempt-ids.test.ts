import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AttemptIds, requestIdOf } from './attempt-ids.ts';

test('a client’s request id is kept if it is printable and not too long', () => {
  for (const id of ['a', 'req-1_2.3', '!~', 'x'.repeat(256)]) assert.equal(requestIdOf(id), id);
  for (const id of [undefined, '', 'a b', 'é', 'a\n', 'x'.repeat(257)]) {
    assert.match(requestIdOf(id), /^[0-9a-f-]{36}$/);
  }
  assert.notEqual(requestIdOf(undefined), requestIdOf(undefined));
});

test('no two attempts in flight share an id, and an id is free again once its attempt has ended', () => {
  const ids = new AttemptIds();
  assert.equal(ids.begin('a'), 'a');
  const [second, third] = [ids.begin('a'), ids.begin('a')];
  assert.deepEqual([second, third], ['a-1', 'a-2']);
  assert.equal(ids.begin('b'), 'b');
  ids.end(second);
  assert.notEqual(ids.begin('a'), 'a');
  ids.end('a');
  assert.equal(ids.begin('a'), 'a');
});
