// Names of the chunks of prompts, one prompt after the other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunkHashes } from '../../core/lmcache/index.ts';
import { PromptHashes } from './prompt-hashes.ts';

test('prompts are named in order; nothing is done for a client that has gone, and the next one is served', async () => {
  const hashes = new PromptHashes();
  const tokens = Array.from({ length: 40_000 }, (_, i) => i % 50_000);
  let isGone = false;
  const left = hashes.of(tokens, () => isGone);
  const absent = hashes.of(tokens, () => true);
  const next = hashes.of(tokens.slice(0, 600), () => false);
  setImmediate(() => {
    isGone = true;
  });
  await assert.rejects(left, /gone/);
  await assert.rejects(absent, /gone/);
  assert.deepEqual(await next, chunkHashes(tokens.slice(0, 600)));
});
