import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdlePrefixes } from './idle-prefixes.ts';

const prefix = (prefixHash: number | undefined, prefixTokens = 1000) => ({
  prefixHash,
  prefixTokens,
});

test('a prefix is in use once, however many requests in flight have it', () => {
  const idle = new IdlePrefixes();
  assert.equal(idle.claim(prefix(1), 0), 1000);
  assert.equal(idle.claim(prefix(1), 0), 0);
  assert.equal(idle.claim(prefix(2, 500), 0), 500);
  assert.equal(idle.release(prefix(1)), 0);
  assert.equal(idle.release(prefix(1)), 1000);
  assert.equal(idle.release(prefix(2, 500)), 500);
  assert.equal(idle.claim(prefix(1), 0), 1000, 'it is claimed again');
});

test('a prompt of which no block is cached claims nothing', () => {
  const idle = new IdlePrefixes();
  assert.equal(idle.claim(prefix(undefined, 0), 0), 0);
  assert.equal(idle.release(prefix(undefined, 0)), 0);
});

test('what rests is expected back if half of the recent prompt tokens was cached, and not at all below a fifth', () => {
  for (const [cachedShare, tokens] of [
    [0, 0],
    [0.2, 0],
    [0.35, 500],
    [0.5, 1000],
    [0.9, 1000],
  ] as const) {
    const idle = new IdlePrefixes();
    idle.rest(1000, cachedShare, 0);
    assert.ok(Math.abs(idle.tokens - tokens) < 1e-9, `${cachedShare}: ${idle.tokens}`);
  }
});

test('a conversation that continues is idle no longer, and one that pauses fades with a half-life of 30 s', () => {
  const idle = new IdlePrefixes();
  idle.rest(1000, 1, 100);
  idle.rest(3000, 1, 100);
  idle.claim(prefix(1), 100);
  assert.equal(idle.tokens, 3000);
  idle.rest(500, 1, 130);
  assert.equal(idle.tokens, 2000);
  // An update about the past fades nothing and restores nothing.
  idle.rest(100, 1, 90);
  assert.equal(idle.tokens, 2100);
  idle.rest(0, 1, 160);
  assert.equal(idle.tokens, 1050);
});

test('more may be claimed than was known to rest', () => {
  const idle = new IdlePrefixes();
  idle.rest(200, 1, 0);
  idle.claim(prefix(1), 0);
  assert.equal(idle.tokens, 0);
  idle.rest(300, 1, 0);
  assert.equal(idle.tokens, 300);
});
