import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  basicAuthorization,
  engineAddress,
  fetchable,
  InputError,
  withoutCredentials,
  withoutLogins,
} from './index.ts';

const urlOf = (text: string) => engineAddress(text).url;

test('the name of an engine is its URL without trailing slashes and white space', () => {
  assert.deepEqual(engineAddress(' http://10.0.0.7:8000// '), {
    ...{ url: 'http://10.0.0.7:8000', authorization: undefined, note: undefined },
  });
  assert.equal(urlOf('https://[::1]:8000/models/a'), 'https://[::1]:8000/models/a');
});

test('one /v1 at the end is left out, with a note', () => {
  const { url, note } = engineAddress('http://e:8000/v1/');
  assert.equal(url, 'http://e:8000');
  assert.match(note ?? '', /^engine URL http:\/\/e:8000\/v1: used as http:\/\/e:8000, since /);
  assert.equal(urlOf('http://gateway/v1/v1'), 'http://gateway/v1');
  assert.equal(urlOf('http://gateway/v12'), 'http://gateway/v12');
  assert.equal(urlOf('http://v1'), 'http://v1');
  assert.equal(urlOf('http://v1/v1'), 'http://v1');
});

test('a user and a password become Basic authorization and leave the URL', () => {
  const { url, authorization, note } = engineAddress('http://al%40ice:s3%3Acr%C3%A9t@e:8000/v1');
  assert.equal(url, 'http://e:8000');
  assert.equal(authorization, `Basic ${Buffer.from('al@ice:s3:crét').toString('base64')}`);
  assert.doesNotMatch(note ?? '', /ice|s3/);
  assert.equal(engineAddress('http://token@e').authorization, `Basic ${btoa('token:')}`);
  assert.equal(engineAddress('http://:p@e').authorization, `Basic ${btoa(':p')}`);
  assert.equal(basicAuthorization({ username: 'a%zz', password: '' }), `Basic ${btoa('a%zz:')}`);
  assert.equal(urlOf('http://e/path@home'), 'http://e/path@home');
});

test('what is no engine URL is refused without its password', () => {
  const wrong = [
    '',
    'e:8000',
    'ftp://a:s3cret@e',
    'http://',
    'http://a:s3/cret@',
    'a:s3cret@e:80x',
  ];
  for (const text of [...wrong, 'http://a:s3cret@e:99999', 'http:e']) {
    assert.throws(
      () => engineAddress(text),
      (error) => error instanceof InputError && !/cret/.test(error.message),
      text,
    );
  }
  assert.throws(() => engineAddress('http://e?x=1'), /must end before the "\?"/);
  assert.throws(() => engineAddress('http://e/#top'), /must end before the "#"/);
});

test('fetch gets a URL without credentials, and a header that has them', () => {
  assert.deepEqual(fetchable('http://a:b@h/x'), {
    url: 'http://h/x',
    headers: { authorization: `Basic ${btoa('a:b')}` },
  });
  assert.deepEqual(fetchable('http://h/x'), { url: 'http://h/x', headers: {} });
});

test('credentials are left out of any text that has the form of a URL', () => {
  assert.equal(withoutCredentials('redis://ann:key@host:6379/0'), 'redis://host:6379/0');
  assert.equal(withoutCredentials('http://a:b@c@host/x@y'), 'http://host/x@y');
  assert.equal(withoutCredentials('http://host/x'), 'http://host/x');
  assert.equal(withoutCredentials('host:8000'), 'host:8000');
  for (const slashes of ['', '/', '///', '\\\\']) {
    const [given, plain] = [`http:${slashes}a:b@host`, `http:${slashes}host`];
    assert.equal(new URL(given).password, 'b');
    assert.deepEqual([withoutCredentials(given), withoutLogins(given)], [plain, plain]);
  }
  assert.equal(
    withoutLogins('"http://a:b@h/x@y" and redis://c:d@[::1]:1, mail m@n'),
    '"http://h/x@y" and redis://[::1]:1, mail m@n',
  );
  const usage = 'redis://[USER:PASSWORD@]HOST:PORT or redis://USER:PASSWORD@HOST:PORT';
  assert.equal(withoutLogins(usage), usage, 'it is what our own sentences say');
});
