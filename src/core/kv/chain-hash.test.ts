import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chainRoot, hashBytesChain, hashTokenBlock, hashTokenChain } from './chain-hash.ts';

test('a longer text keeps the hashes of its prefix, and a changed byte changes all that follow', () => {
  const text = Uint8Array.from({ length: 64 }, (_, i) => i);
  const changed = text.with(20, 99);
  const [all, prefix, other] = [text, text.subarray(0, 35), changed].map((bytes) => [
    ...hashBytesChain([bytes], 16),
  ]);
  assert.equal(all?.length, 4);
  assert.deepEqual(prefix, all?.slice(0, 2));
  assert.equal(other?.[0], all?.[0]);
  for (const block of [1, 2, 3]) assert.notEqual(other?.[block], all?.[block]);
});

test('the hash of bytes does not depend on how they are split into parts', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
      fc.constantFrom(4, 16, 20),
      (parts, blockBytes) => {
        const whole = Uint8Array.from(parts.flatMap((part) => [...part]));
        assert.deepEqual(hashBytesChain(parts, blockBytes), hashBytesChain([whole], blockBytes));
      },
    ),
  );
});

test('tokens have the hash of their little-endian 32-bit bytes', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(0xffff_ffff), { maxLength: 70 }), fc.integer(), (tokens, seed) => {
      const bytes = new Uint8Array(Uint32Array.from(tokens).buffer);
      const root = Math.abs(seed);
      assert.deepEqual(hashTokenChain(tokens, 8, root), hashBytesChain([bytes], 32, root));
    }),
  );
});

test('a chain can be continued from any block', () => {
  const tokens = Uint32Array.from({ length: 64 }, (_, i) => i * 7919);
  const chain = hashTokenChain(tokens, 16);
  assert.equal(hashTokenBlock(chain[1] as number, tokens, 32, 48), chain[2]);
  assert.deepEqual(hashTokenChain(tokens.subarray(32), 16, chain[1]), chain.slice(2));
});

test('hashes are integers in [1, 2^53) and depend on the seed', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(200_000), { minLength: 4, maxLength: 32 }), (tokens) => {
      for (const hash of hashTokenChain(tokens, 4)) {
        assert.ok(Number.isSafeInteger(hash) && hash >= 1);
      }
      assert.notEqual(hashTokenChain(tokens, 4, 2)[0], hashTokenChain(tokens, 4, chainRoot)[0]);
    }),
  );
});

test('a hundred thousand blocks that differ in one or two bits all have different hashes', () => {
  const tokens = new Uint32Array(16);
  const seen = new Set<number>();
  let blocks = 0;
  for (let first = 0; first < 512; first++) {
    for (let second = first; second < 512; second += 1 + (first & 1)) {
      tokens.fill(0);
      tokens[first >>> 5] = (tokens[first >>> 5] as number) ^ (1 << (first & 31));
      tokens[second >>> 5] = (tokens[second >>> 5] as number) | (1 << (second & 31));
      seen.add(hashTokenBlock(chainRoot, tokens, 0, 16));
      blocks += 1;
    }
  }
  assert.ok(blocks > 90_000);
  assert.equal(seen.size, blocks);
});

test('refuses an impossible block size', () => {
  for (const size of [0, -4, 6, 1.5]) assert.throws(() => hashBytesChain([], size), RangeError);
  for (const size of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => hashTokenChain([], size), RangeError);
  }
});
