// The salt that a tenant's requests get.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RequestFieldsReader } from '../../../core/protocol/index.ts';
import type { RequestHead } from '../../../io/http/index.ts';
import { type CacheSaltSource, CacheSalts, parseCacheSaltSource } from './cache-salt.ts';

const reader = new RequestFieldsReader({});
function salted(source: CacheSaltSource, headers: Record<string, string>, text: string) {
  const head = { headers: new Map(Object.entries(headers)) } as unknown as RequestHead;
  const body = Buffer.from(text);
  const result = new CacheSalts(source).salted(head, body, reader.read(body));
  return { ...result, text: result.body.toString(), read: JSON.parse(result.body.toString()) };
}
const saltOf = (headers: Record<string, string>, text: string) =>
  salted('key', headers, text).read.cache_salt as string;
const alice = { authorization: 'Bearer alice-key' };

test('key, header and header:NAME tell tenants apart; anything else is refused', () => {
  assert.equal(parseCacheSaltSource('key'), 'key');
  assert.deepEqual(parseCacheSaltSource('header'), { header: 'x-tenant-id' });
  assert.deepEqual(parseCacheSaltSource('header:X-Team'), { header: 'x-team' });
  for (const text of ['', 'keys', 'header:', 'header:a b', 'HEADER:x\r\n']) {
    assert.throws(() => parseCacheSaltSource(text), /must be key, header or header:NAME/);
  }
});

test('one tenant has one salt, whatever the spelling of its key; others have others; none tells the key', () => {
  const text = '{"model":"m","prompt":"p"}';
  const salt = saltOf(alice, text);
  assert.match(salt, /^[\w-]{43}$/);
  assert.equal(saltOf({ authorization: 'bearer  alice-key' }, text), salt);
  assert.equal(saltOf({ 'x-api-key': 'alice-key' }, text), salt);
  const others = [{ authorization: 'Bearer bob-key' }, {}, { authorization: 'Basic alice-key' }];
  const salts = others.map((headers) => saltOf(headers, text));
  assert.ok(!salts.includes(salt));
  assert.equal(salted({ header: 'x-team' }, { 'x-team': 'a' }, text).read.cache_salt.length, 43);
});

test('a salt of the client’s own divides its tenant’s cache, and never becomes that of another tenant', () => {
  const own = (value: string) => saltOf(alice, `{"model":"m","cache_salt":${value},"prompt":"p"}`);
  const plain = saltOf(alice, '{"model":"m","prompt":"p"}');
  assert.equal(own('null'), plain);
  const bob = saltOf({ authorization: 'Bearer bob-key' }, '{"model":"m"}');
  const salts = [plain, own('"a"'), own('"b"'), own(JSON.stringify(bob)), own('5')];
  assert.equal(new Set([...salts, bob]).size, 6);
});

test('the body has one salt, at the end or in place of its own, and all else as it was', () => {
  const body = '{ "model": "m" , "seed": 12345678901234567890 }\n';
  assert.match(
    salted('key', alice, body).text,
    /^\{ "model": "m" , "seed": 12345678901234567890 ,"cache_salt":"[\w-]{43}"\}$/,
  );
  const twice = '{"cache_salt":"x","model":"m","cache\\u005fsalt":"y","prompt":"p"}';
  const { text, isAppended } = salted('key', alice, twice);
  assert.equal(isAppended, false);
  assert.equal(text.match(/salt/g)?.length, 1);
});

test('any JSON object stays one, with its other members', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 5 }), (members) => {
      const all: Record<string, unknown> = { ...members, model: 'm' };
      const { cache_salt: own, ...others } = all;
      const text = JSON.stringify({ ...others, ...(own === undefined ? {} : { cache_salt: own }) });
      const { cache_salt: salt, ...rest } = salted('key', alice, text).read;
      assert.match(String(salt), /^[\w-]{43}$/);
      assert.deepEqual(JSON.stringify(rest), JSON.stringify(JSON.parse(JSON.stringify(others))));
    }),
  );
});
