import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { InputError } from '../base/index.ts';
import { blockHashInteger, createBlockHasher } from './block-hash.ts';
import type { HashValue } from './block-hash-encoding.ts';
import { sha256 } from './sha256.ts';

/** Computed by vLLM 0.32.0's own functions; see fixtures/README.md. */
interface Golden {
  readonly none_hash: readonly {
    readonly algorithm: string;
    readonly seed: string;
    readonly none_hash: string;
  }[];
  readonly hashes: readonly {
    readonly label: string;
    readonly algorithm: string;
    readonly seed: string;
    readonly tokens: readonly number[];
    readonly parent: string | null;
    readonly extra: readonly GoldenValue[] | null;
    readonly digest: string;
    readonly wire: string;
  }[];
}
type GoldenValue = string | number | null | { readonly $bytes: string } | readonly GoldenValue[];

const golden: Golden = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures/golden-hashes.json'), 'utf8'),
);

test('block hashes equal those of vLLM for all kinds of input', () => {
  const supported = golden.hashes.filter(({ algorithm }) => algorithm.startsWith('sha256'));
  assert.ok(supported.length >= 80);
  for (const { label, algorithm, seed, tokens, parent, extra, digest, wire } of supported) {
    const hasher = createBlockHasher({ algorithm, seed });
    const parentHash = parent === null ? undefined : fromHex(parent);
    const hash = hasher.hashBlock(parentHash, tokens, 0, tokens.length, extra?.map(hashValue));
    assert.equal(toHex(hash), digest, `${label}, ${algorithm}, seed ${seed}`);
    assert.equal(String(blockHashInteger(hash)), wire);
  }
});

test('the parent hash of the first block equals that of vLLM for each seed', () => {
  for (const { algorithm, seed, none_hash } of golden.none_hash) {
    if (algorithm.startsWith('xxhash')) continue;
    assert.equal(toHex(createBlockHasher({ algorithm, seed }).noneHash), none_hash);
  }
  const [first] = golden.none_hash;
  assert.equal(toHex(createBlockHasher().noneHash), first?.none_hash);
});

test('a block may start anywhere in its tokens', () => {
  const hasher = createBlockHasher();
  const tokens = Uint32Array.from({ length: 40 }, (_, i) => i);
  const first = hasher.hashBlock(undefined, tokens, 0, 16);
  assert.equal(blockHashInteger(first), 3262291359910021016n);
  assert.equal(blockHashInteger(hasher.hashBlock(first, tokens, 16, 32)), 7142137847444424233n);
});

test('refuses an unsupported algorithm and lists the supported ones', () => {
  for (const algorithm of ['xxhash', 'xxhash_cbor', 'md5']) {
    assert.throws(() => createBlockHasher({ algorithm }), InputError);
    assert.throws(() => createBlockHasher({ algorithm }), /use sha256 or sha256_cbor\.$/);
  }
});

test('SHA-256 agrees with OpenSSL for every length', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.equal(toHex(sha256(bytes)), createHash('sha256').update(bytes).digest('hex'));
    }),
    { numRuns: 400 },
  );
});

function hashValue(value: GoldenValue): HashValue {
  if (value === null || typeof value !== 'object') return value;
  return '$bytes' in value ? fromHex(value.$bytes) : value.map(hashValue);
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}
