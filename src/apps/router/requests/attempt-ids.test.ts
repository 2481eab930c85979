import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AttemptIds, requestIdOf } from './attempt-ids.ts';

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('a client’s request id is kept if it is printable and not too long', () => {
  for (const id of ['a', 'req-1_2.3', '!~', 'x'.repeat(256)]) assert.equal(requestIdOf(id), id);
  for (const id of [undefined, '', 'a b', 'é', 'a\n', 'x'.repeat(257)]) {
    assert.match(requestIdOf(id), uuidPattern);
  }
});

test('new ids are random UUIDs: of version 4, all different, with every digit at every other place', () => {
  const ids = Array.from({ length: 2_000 }, () => requestIdOf(undefined));
  for (const id of ids) assert.match(id, uuidPattern);
  assert.equal(new Set(ids).size, ids.length);
  const digitsAt = Array.from({ length: 36 }, (_, i) => new Set(ids.map((id) => id[i])).size);
  const fixed = new Map([
    [8, 1],
    [13, 1],
    [14, 1],
    [18, 1],
    [19, 4],
    [23, 1],
  ]);
  assert.deepEqual(
    digitsAt,
    digitsAt.map((_, i) => fixed.get(i) ?? 16),
  );
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
