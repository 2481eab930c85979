import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonSyntaxError, withMembers } from './index.ts';

const written = (text: string, members: Readonly<Record<string, string | undefined>>) =>
  new TextDecoder().decode(withMembers(new TextEncoder().encode(text), members));

test('members are written behind those of the object', () => {
  assert.equal(
    written('{"model":"m"}', { n: '1', stream: 'false' }),
    '{"model":"m","n":1,"stream":false}',
  );
  assert.equal(written(' { } ', { n: '1' }), '{"n":1}');
  assert.equal(written('{"a":1}', {}), '{"a":1}');
});

test('no name occurs twice, however often and wherever the object has it, and however it is spelt', () => {
  assert.equal(written('{"n":2,"a":[{"n":3}],"n":4}', { n: '1' }), '{"a":[{"n":3}],"n":1}');
  assert.equal(written('{"n":2}', { n: '1' }), '{"n":1}');
  assert.equal(written('{"\\u006e":2,"b":1}', { n: '1' }), '{"b":1,"n":1}');
  assert.equal(written('{"n":2,"b":1,"c":2,"n":5,"d":3}', { n: '1' }), '{"b":1,"c":2,"d":3,"n":1}');
});

test('a member without a value is left out', () => {
  assert.equal(written('{"a":1,"n":2,"b":3}', { n: undefined, c: '4' }), '{"a":1,"b":3,"c":4}');
  assert.equal(written('{"n":2}', { n: undefined }), '{}');
});

test('the bytes of other members stay, also those in strings that look like members', () => {
  const text = '{ "id" : 12345678901234567890.10, "t":"\\",\\"n\\":2," , "n" : 2 , "ü": "🙂" }';
  assert.equal(
    written(text, { n: '1' }),
    '{"id" : 12345678901234567890.10, "t":"\\",\\"n\\":2,","ü": "🙂","n":1}',
  );
});

test('what is no object is refused', () => {
  for (const text of ['', '[]', '{"a":1,}', '{"a"}', '{"a":1', '{a:1}']) {
    assert.throws(() => written(text, { n: '1' }), { name: JsonSyntaxError.name }, text);
  }
});
