import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../core/base/index.ts';
import { urlOf } from './serve-options.ts';

const of = (host: string) => urlOf({ host, port: 8000 }).href;

test('a host is a name or an address, of either version', () => {
  assert.equal(of('gpu-1'), 'http://gpu-1:8000/v1');
  assert.equal(of('::1'), 'http://[::1]:8000/v1');
  assert.equal(of('[::1]'), 'http://[::1]:8000/v1');
});

test('what is no host is refused in one sentence', () => {
  for (const host of ['a b', 'http://gpu-1', 'gpu-1/v1', 'ann@gpu-1', '']) {
    assert.throws(
      () => of(host),
      (error) =>
        error instanceof InputError && /^--host is ".*Give a URL with --url\.$/.test(error.message),
      host,
    );
  }
});
