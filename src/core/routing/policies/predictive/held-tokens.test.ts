import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../../../test/support/routing.ts';
import { createBlockHasher, KvEventLog, KvIndex, KvSequence } from '../../../kv/index.ts';
import type { EventBlockHash } from '../../../protocol/index.ts';
import type { Endpoint, RoutingRequest } from '../../contract.ts';
import { EndpointRecord } from '../../endpoint-record.ts';
import { HeldTokens } from './held-tokens.ts';

const a = new EndpointRecord('a', ['m'], 'live', '');
/** 4,000 tokens, in blocks of 64 as the beliefs count them and of 16 as the engine does. */
const tokens = Uint32Array.from({ length: 4000 }, (_, i) => i);
const request = { ...routingRequest('some text and '.repeat(1200).slice(0, 16_000)), tokens };

/** @returns The engine's hashes of the blocks. */
function stored(index: KvIndex, url: string, blocks: number): readonly EventBlockHash[] {
  const log = new KvEventLog();
  log.blocksStored(new KvSequence(createBlockHasher(), 16, tokens), 0, blocks);
  const events = log.take();
  index.apply(url, events);
  return events.flatMap((event) => ('blockHashes' in event ? event.blockHashes : []));
}

function counted(held: HeldTokens, of: RoutingRequest, ...endpoints: Endpoint[]): number[] {
  const into = new Float64Array(endpoints.length);
  held.count(of, held.chainOf(of), endpoints, into);
  return [...into];
}

/** A prompt that was sent to an engine and answered. */
function answered(held: HeldTokens, endpoint: Endpoint, cachedTokens = 0): void {
  const chain = held.chainOf(request);
  const [expected = 0] = counted(held, request, endpoint);
  held.sent(endpoint, chain)?.remove(chain.hashes);
  held.finished(endpoint, chain, expected, { status: 'completed', cachedTokens });
}

test('without an index, or while nobody is heard, what was sent is taken to be held', () => {
  const index = new KvIndex();
  index.setKnowledge('a', 'none');
  for (const held of [new HeldTokens(), new HeldTokens(index)]) {
    answered(held, a);
    assert.ok(!held.needsTokens);
    assert.deepEqual(counted(held, request, a), [3968]);
  }
});

test('where all events are heard, they alone count, whatever was sent', () => {
  const index = new KvIndex();
  index.setKnowledge('a', 'exact');
  const held = new HeldTokens(index);
  answered(held, a);
  assert.ok(held.needsTokens);
  assert.deepEqual(counted(held, request, a), [0]);
  stored(index, 'a', 100);
  assert.deepEqual(counted(held, request, a), [1600]);
});

test('a prompt in flight counts as held before events tell of it, and no longer than that', () => {
  const index = new KvIndex();
  index.setKnowledge('a', 'exact');
  const held = new HeldTokens(index);
  const chain = held.chainOf(request);
  const inFlight = held.sent(a, chain);
  assert.deepEqual(counted(held, request, a), [3968]);
  inFlight?.remove(chain.hashes);
  held.finished(a, chain, 0, { status: 'failed' });
  assert.deepEqual(counted(held, request, a), [0]);
});

test('a lost stream is not believed any more; one that has caught up is', () => {
  const index = new KvIndex();
  stored(index, 'a', 200);
  stored(index, 'b', 1);
  const held = new HeldTokens(index);
  assert.deepEqual(counted(held, request, a), [3200]);
  index.setKnowledge('a', 'none');
  assert.deepEqual(counted(held, request, a), [0]);
  answered(held, a);
  assert.deepEqual(counted(held, request, a), [3968]);
  index.setKnowledge('a', 'exact');
  assert.deepEqual(counted(held, request, a), [3200]);
});

test('where events were missed, the greater of what they tell and what was sent counts', () => {
  const index = new KvIndex();
  const b = new EndpointRecord('b', ['m'], 'live', '');
  stored(index, 'a', 200);
  stored(index, 'b', 250);
  for (const url of ['a', 'b']) index.setKnowledge(url, 'partial');
  const held = new HeldTokens(index);
  assert.deepEqual(counted(held, request, a, b), [3200, 3999]);
  answered(held, a, 3200);
  assert.deepEqual(counted(held, request, a, b), [3968, 3999]);
});

test('what an engine keeps in host memory is held, what lies in storage is not told of for good', () => {
  const index = new KvIndex();
  const held = new HeldTokens(index);
  const blockHashes = stored(index, 'a', 200);
  const placeholder = {
    ...{ type: 'BlockStored' as const, tokenIds: new Uint32Array(), blockSize: 0 },
    ...{ parentBlockHash: undefined, loraId: undefined, loraName: undefined },
  };
  index.apply('a', [
    { ...placeholder, blockHashes: blockHashes.slice(0, 120), medium: 'CPU' },
    { ...placeholder, blockHashes, medium: 'STORAGE' },
    { type: 'BlockRemoved', blockHashes, medium: 'GPU' },
  ]);
  assert.deepEqual(counted(held, request, a), [1920]);
});

test('a request without tokens falls back to what was sent', () => {
  const index = new KvIndex();
  stored(index, 'a', 200);
  const held = new HeldTokens(index);
  assert.deepEqual(counted(held, { ...request, tokens: undefined }, a), [0]);
  answered(held, a);
  assert.deepEqual(counted(held, { ...request, tokens: undefined }, a), [3968]);
});

test('an engine that keeps finding more than its events told is believed to hold what was sent', () => {
  const index = new KvIndex();
  index.setKnowledge('a', 'exact');
  const held = new HeldTokens(index);
  for (let i = 0; i < 20; i++) answered(held, a, 3900);
  assert.deepEqual(counted(held, request, a), [3968]);
});

test('an engine that lost its cache holds nothing', () => {
  const held = new HeldTokens();
  answered(held, a);
  held.reset(a);
  assert.deepEqual(counted(held, request, a), [0]);
});
