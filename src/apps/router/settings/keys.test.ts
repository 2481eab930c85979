// Which key reaches engines, and which key routers may have for each other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RouterOptions } from '../options.ts';
import { authorizationOf, checkPeerKey } from './keys.ts';

const of = (options: Partial<RouterOptions>) => authorizationOf(options as RouterOptions);

test('a client’s own key reaches engines only if neither router nor engines have one', () => {
  assert.equal(of({}), 'client');
  assert.equal(of({ apiKey: 'a' }), undefined);
  assert.equal(of({ apiKeyFile: 'f' }), undefined);
  assert.deepEqual(of({ engineApiKey: 'e' }), { value: 'Bearer e' });
  assert.deepEqual(of({ apiKey: 'a', engineApiKey: 'e' }), { value: 'Bearer e' });
});

test('whether the client’s key is forwarded can be set', () => {
  assert.equal(of({ apiKey: 'a', forwardAuthorization: true }), 'client');
  assert.equal(of({ forwardAuthorization: false }), undefined);
});

test('routers that check a key need one for each other, of visible ASCII', () => {
  checkPeerKey(undefined, false);
  checkPeerKey('!~', true);
  checkPeerKey('k', false);
  assert.throws(() => checkPeerKey(undefined, true), /SPILLWAY_ROUTER_PEERS_KEY/);
  for (const key of ['', 'a b', 'ä', 'a\n']) {
    assert.throws(() => checkPeerKey(key, false), /visible ASCII/, key);
  }
});
