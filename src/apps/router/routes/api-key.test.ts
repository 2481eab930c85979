import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers, headerKinds, type RequestHead } from '../../../io/http/index.ts';
import { apiKeyCheck } from './api-key.ts';

function headOf(authorization?: string, contentLength = 0, apiKey?: string): RequestHead {
  const headers = new Headers();
  if (apiKey !== undefined) {
    headers.names.push('x-api-key');
    headers.values.push(apiKey);
    headers.kinds.push(headerKinds.apiKey);
  }
  if (authorization !== undefined) {
    headers.names.push('authorization');
    headers.values.push(authorization);
    headers.kinds.push(headerKinds.authorization);
  }
  return {
    ...{ method: 'GET', target: '/', minorVersion: 1, headers, contentLength },
    ...{ expectsContinue: false, keepAlive: true, headBytes: 0 },
  };
}

test('without a key every request is allowed', () => {
  assert.equal(apiKeyCheck(undefined)(headOf(), '/v1/models'), true);
});

test('with a key every request must have it, except probes and scrapes', () => {
  const allows = apiKeyCheck({ isRight: (given) => given === 'secret' });
  assert.equal(allows(headOf('Bearer secret'), '/v1/models'), true);
  for (const wrong of [undefined, 'secret', 'Bearer secre', 'Bearer secret2', 'Basic secret']) {
    assert.equal(allows(headOf(wrong), '/v1/models'), false, wrong);
    for (const path of ['/health', '/version', '/metrics']) {
      assert.equal(allows(headOf(wrong), path), true, path);
    }
  }
});

test('the key may come as Anthropic’s clients send it, and with spaces after the word Bearer', () => {
  const allows = apiKeyCheck({ isRight: (given) => given === 'secret' });
  assert.equal(allows(headOf(undefined, 0, 'secret'), '/v1/models'), true);
  assert.equal(allows(headOf(undefined, 0, 'other'), '/v1/models'), false);
  assert.equal(allows(headOf('Bearer other', 0, 'secret'), '/v1/models'), false);
  assert.equal(allows(headOf('Bearer   secret '), '/v1/models'), true);
});

test('the files of the web page need no key, its data does', () => {
  const allows = apiKeyCheck(
    { isRight: (given) => given === 'secret' },
    new Set(['/', '/assets/main-1A2B.js']),
  );
  for (const path of ['/', '/assets/main-1A2B.js'])
    assert.equal(allows(headOf(), path), true, path);
  for (const path of ['/dashboard/events', '/debug/picks', '/assets/other.js', '//']) {
    assert.equal(allows(headOf(), path), false, path);
  }
});

test('a body needs the key on every path', () => {
  const allows = apiKeyCheck({ isRight: (given) => given === 'secret' }, new Set(['/']));
  for (const path of ['/', '/health']) {
    assert.equal(allows(headOf(undefined, 10), path), false, path);
    assert.equal(allows(headOf('Bearer secret', 10), path), true, path);
  }
});
