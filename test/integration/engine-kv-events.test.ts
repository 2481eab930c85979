// The embedded engine's KV events as a subscriber hears them.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { FaultOptions } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { blockHashInteger, createBlockHasher } from '../../src/core/kv/index.ts';
import { publishingEngine } from '../support/publishing-engine.ts';
import { until } from '../support/until.ts';

const prompt = Array.from({ length: 40 }, (_, i) => 1000 + i);

test('a prompt’s full blocks are announced with the hashes of vLLM, and later those of the answer', async (t) => {
  const { complete, received } = await start(t, {});
  await complete({ prompt, max_tokens: 10 });
  await until(() => received.flatMap(({ events }) => events).length === 2);
  const [first, second] = received.flatMap(({ events }) => events);
  assert.ok(first?.type === 'BlockStored' && second?.type === 'BlockStored');
  const hasher = createBlockHasher();
  const hash0 = hasher.hashBlock(undefined, prompt, 0, 16, []);
  const hash1 = hasher.hashBlock(hash0, prompt, 16, 32, []);
  assert.deepEqual(first.blockHashes, [hash0, hash1].map(blockHashInteger));
  assert.deepEqual(Array.from(first.tokenIds), prompt.slice(0, 32));
  assert.equal(first.parentBlockHash, undefined);
  assert.deepEqual([second.parentBlockHash, second.tokenIds.length], [blockHashInteger(hash1), 16]);
  assert.deepEqual(
    received.map(({ sequence }) => sequence),
    [0, 1],
  );
});

test('eviction and reset are announced, the reset with the next step', async (t) => {
  const { complete, received, resetPrefixCache } = await start(t, {}, 12);
  for (let i = 0; i < 6; i++)
    await complete({ prompt: prompt.map((id) => id + i * 100), max_tokens: 1 });
  await until(() =>
    received.some(({ events }) => events.some(({ type }) => type === 'BlockRemoved')),
  );
  const before = received.length;
  assert.equal(await resetPrefixCache(), true);
  await complete({ prompt, max_tokens: 1 });
  await until(() => received.length > before);
  assert.deepEqual(
    received[before]?.events.map(({ type }) => type),
    ['AllBlocksCleared', 'BlockStored'],
  );
});

test('a cache salt keeps requests apart and is announced with its block', async (t) => {
  const { complete, received } = await start(t, {});
  await complete({ prompt, max_tokens: 1 });
  await complete({ prompt, max_tokens: 1, cache_salt: 'tenant-1' });
  await until(() => received.length === 2);
  const [plain, salted] = received.flatMap(({ events }) => events);
  assert.ok(plain?.type === 'BlockStored' && salted?.type === 'BlockStored');
  assert.notDeepEqual(plain.blockHashes, salted.blockHashes);
  assert.deepEqual(salted.extraKeys?.[0], ['tenant-1']);
});

test('a session is named with its blocks: by the body, else by the header, else by an extra argument', async (t) => {
  const { complete, received } = await start(t, {});
  const header = { 'x-session-id': 'header' };
  const vllm_xargs = { session_id: 'extra' };
  const bodies = [{ session_id: 'body', vllm_xargs }, { vllm_xargs }, {}];
  for (const [i, body] of bodies.entries()) {
    const own = prompt.map((id) => id + 100 * (i + 1));
    await complete({ prompt: own, max_tokens: 1, ...body }, i < 2 ? header : {});
  }
  await complete({ prompt: prompt.map((id) => id + 1000), max_tokens: 1, vllm_xargs });
  await until(() => received.length === 4);
  assert.deepEqual(
    received.map(({ events: [event] }) => event?.type === 'BlockStored' && event.sessionId),
    ['body', 'header', undefined, 'extra'],
  );
});

test('lost batches leave a gap in the numbers, duplicated ones come twice', async (t) => {
  const lossy = await start(t, { loseKvEvents: { probability: 1 } });
  await lossy.complete({ prompt, max_tokens: 1 });
  const double = await start(t, { duplicateKvEvents: { probability: 1 } });
  await double.complete({ prompt, max_tokens: 1 });
  await until(() => double.received.length === 2);
  assert.deepEqual(
    double.received.map(({ sequence }) => sequence),
    [0, 0],
  );
  assert.equal(lossy.received.length, 0);
  await fetch(`${lossy.url}/spillway/faults`, { method: 'DELETE' });
  await lossy.complete({ prompt: prompt.map((id) => id + 500), max_tokens: 1 });
  await until(() => lossy.received.length === 1);
  assert.equal(lossy.received[0]?.sequence, 1);
});

function start(t: TestContext, faults: FaultOptions, numGpuBlocks = 100) {
  const config = defaultEngineConfig({ maxModelLen: 160, numGpuBlocks, blockSize: 16 });
  return publishingEngine(t, { faults, config });
}
