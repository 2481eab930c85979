import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../core/base/index.ts';
import { membershipOf } from './membership.ts';

test('a list names this server, or says that it does not', async () => {
  const list = '203.0.113.1:6379, 203.0.113.2:6379';
  const { self, members } = await membershipOf(list, '203.0.113.2:6379');
  assert.deepEqual([self, members], ['203.0.113.2:6379', ['203.0.113.1:6379', '203.0.113.2:6379']]);
  await assert.rejects(membershipOf(list, undefined), /none of the addresses of this machine/);
  await assert.rejects(membershipOf(list, '203.0.113.3:6379'), /203.0.113.3:6379 is not among/);
});

test('one name stands for its addresses, and this server is one of them', async () => {
  const { self, members } = await membershipOf('localhost:6379', '127.0.0.1:6379');
  assert.equal(self, '127.0.0.1:6379');
  assert.ok(members.includes(self));
});

test('what is no address is refused in one sentence', async () => {
  for (const text of ['a', 'a:b:c:1', 'a:6379,:1', 'lm://a:1', 'no.such.name.invalid:6379']) {
    await assert.rejects(membershipOf(text, 'a:1'), InputError, text);
  }
  for (const text of ['sentinel://:hunter2@a:26379', 'a:1,redis+sentinel://:hunter2@b:1']) {
    const said =
      /^InputError: (?!.*hunter2)--peers .*; Redis Sentinel \(.*\) is not spoken to: use lm:/;
    await assert.rejects(membershipOf(text, 'a:1'), said, text);
  }
});
