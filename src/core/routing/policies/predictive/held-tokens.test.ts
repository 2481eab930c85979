import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../../../test/support/routing.ts';
import { createBlockHasher, KvEventLog, KvIndex, KvSequence } from '../../../kv/index.ts';
import type { EventBlockHash } from '../../../protocol/index.ts';
import type { Endpoint, Outcome, RoutingRequest } from '../../contract.ts';
import { EndpointRecord } from '../../endpoint-record.ts';
import { HeldTokens } from './held-tokens.ts';

const a = new EndpointRecord('a', ['m'], 'live', '');
/** 4,000 tokens, in blocks of 64 for the assumed contents and of 16 for the engine. */
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
  held.count(of, held.chainOf(of), endpoints, into, new Float64Array(endpoints.length));
  return [...into];
}

/** A prompt that was sent to an engine and completed. */
function answered(held: HeldTokens, endpoint: Endpoint, cachedTokens = 0): void {
  const chain = held.chainOf(request);
  const [expected = 0] = counted(held, request, endpoint);
  held.sent(endpoint, chain)?.remove(chain.hashes);
  held.finished(endpoint, chain, expected, { status: 'completed', cachedTokens }, true);
}

test('without an index or a live event stream, sent prompts are assumed to be cached', () => {
  const index = new KvIndex();
  index.setKnowledge('a', 'none');
  for (const held of [new HeldTokens(), new HeldTokens(index)]) {
    answered(held, a);
    assert.ok(!held.needsTokens);
    assert.deepEqual(counted(held, request, a), [3968]);
  }
});

test('complete events override what was sent', () => {
  const index = new KvIndex();
  index.setKnowledge('a', 'exact');
  const held = new HeldTokens(index);
  answered(held, a);
  assert.ok(held.needsTokens);
  assert.deepEqual(counted(held, request, a), [0]);
  stored(index, 'a', 100);
  assert.deepEqual(counted(held, request, a), [1600]);
});

test('a prompt in flight counts as cached before its events arrive, and no longer', () => {
  const index = new KvIndex();
  index.setKnowledge('a', 'exact');
  const held = new HeldTokens(index);
  const chain = held.chainOf(request);
  const inFlight = held.sent(a, chain);
  assert.deepEqual(counted(held, request, a), [3968]);
  inFlight?.remove(chain.hashes);
  held.finished(a, chain, 0, { status: 'failed' }, true);
  assert.deepEqual(counted(held, request, a), [0]);
});

test('a lost stream is ignored until it has caught up', () => {
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

test('after missed events, the larger of reported and sent tokens counts', () => {
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

test('blocks in host memory count as cached; blocks in storage do not', () => {
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
  const loadSeconds = new Float64Array(1);
  held.count(request, held.chainOf(request), [a], new Float64Array(1), loadSeconds);
  assert.deepEqual([...loadSeconds], [1920 * (131_072 / 50e9)], 'and cost the time of a load');
});

test('a request without tokens falls back to what was sent', () => {
  const index = new KvIndex();
  stored(index, 'a', 200);
  const held = new HeldTokens(index);
  assert.deepEqual(counted(held, { ...request, tokens: undefined }, a), [0]);
  answered(held, a);
  assert.deepEqual(counted(held, { ...request, tokens: undefined }, a), [3968]);
});

test('an engine that keeps finding more than its events reported is assumed to cache what was sent', () => {
  const index = new KvIndex();
  index.setKnowledge('a', 'exact');
  const held = new HeldTokens(index);
  for (let i = 0; i < 20; i++) answered(held, a, 3900);
  assert.deepEqual(counted(held, request, a), [3968]);
});

test('an engine that lost its cache has nothing cached', () => {
  const held = new HeldTokens();
  answered(held, a);
  held.reset(a);
  assert.deepEqual(counted(held, request, a), [0]);
});

test('without an index no tokens are requested', () => {
  assert.equal(new HeldTokens().needsTokens, false);
  assert.equal(new HeldTokens(new KvIndex()).needsTokens, false);
});

test('a few responses with more cached tokens than reported do not override the events', () => {
  const index = new KvIndex();
  index.setKnowledge('a', 'exact');
  const held = new HeldTokens(index);
  answered(held, a, 3900);
  assert.deepEqual(counted(held, request, a), [0]);
});

test('an engine that does not report its hits keeps the trust in its events', () => {
  const index = new KvIndex();
  index.setKnowledge('a', 'exact');
  const held = new HeldTokens(index);
  const chain = held.chainOf(request);
  for (let i = 0; i < 20; i++) {
    held.sent(a, chain)?.remove(chain.hashes);
    held.finished(a, chain, 0, { status: 'completed' }, true);
  }
  assert.deepEqual(counted(held, request, a), [0]);
});

/** An engine with complete events, of which so many blocks are stored. */
function engineWithEvents(blocks: number) {
  const index = new KvIndex();
  index.setKnowledge('a', 'exact');
  if (blocks > 0) stored(index, 'a', blocks);
  const held = new HeldTokens(index);
  const finish = (expected: number, outcome: Partial<Outcome>, times = 1) => {
    const chain = held.chainOf(request);
    for (let i = 0; i < times; i++) {
      held.sent(a, chain)?.remove(chain.hashes);
      held.finished(a, chain, expected, { status: 'completed', ...outcome }, true);
    }
  };
  return { index, held, finish, count: () => counted(held, request, a)[0] };
}

test('events are overridden when more than half of the recent responses contradict them', () => {
  const { held, finish, count } = engineWithEvents(0);
  // Each response has a weight of a sixteenth: ten are 48 %, eleven 51 %.
  finish(0, { cachedTokens: 3900 }, 10);
  assert.equal(count(), 0);
  finish(0, { cachedTokens: 3900 });
  assert.equal(count(), 3968);
  // A restart ends both the distrust and what was assumed.
  held.reset(a);
  finish(0, { cachedTokens: 0 });
  assert.equal(count(), 0);
});

test('blocks of an adapter count for requests that name it as their model, and for no others', () => {
  const index = new KvIndex();
  const log = new KvEventLog();
  const lora = { id: 1, name: 'sql', path: '/loras/sql' };
  log.blocksStored(new KvSequence(createBlockHasher(), 16, tokens, { lora }), 0, 100);
  index.apply('a', log.take());
  stored(index, 'b', 50);
  const engines = [a, new EndpointRecord('b', ['m'], 'live', '')];
  const countsFor = (model: string | undefined) =>
    counted(new HeldTokens(index), { ...request, model }, ...engines);
  assert.deepEqual(countsFor('sql'), [1600, 0]);
  assert.deepEqual(countsFor('m'), [0, 800]);
  assert.deepEqual(countsFor(undefined), [0, 800]);
});

test('hits of up to two byte blocks and responses without a count do not affect trust in events', () => {
  for (const cachedTokens of [128, 100, undefined]) {
    const { finish, count } = engineWithEvents(0);
    finish(0, { cachedTokens }, 40);
    assert.equal(count(), 0);
    for (let i = 0; i < 11; i++) {
      finish(0, { cachedTokens });
      finish(0, { cachedTokens: 129 });
    }
    assert.equal(count(), 3968, `${cachedTokens}`);
  }
});

test('hits that match the events within two byte blocks keep the trust in them', () => {
  const outcomes = [
    { cachedTokens: 3200 },
    { cachedTokens: 3328 },
    // The engine counts twice as many tokens.
    { promptTokens: 8000, cachedTokens: 6400 },
  ];
  for (const outcome of outcomes) {
    const { finish, count } = engineWithEvents(200);
    finish(3200, outcome, 40);
    assert.equal(count(), 3200);
  }
  const more = engineWithEvents(200);
  more.finish(3200, { promptTokens: 8000, cachedTokens: 6658 }, 40);
  assert.equal(more.count(), 3968);
});

test('an engine that finds nothing after its event stream was lost has lost its cache', () => {
  const { index, finish, count } = engineWithEvents(0);
  finish(0, { cachedTokens: 0 });
  index.setKnowledge('a', 'none');
  assert.equal(count(), 3968);
  finish(3968, { cachedTokens: 0 }, 4);
  assert.equal(count(), 0);
});

test('bytes per token are learned from engines with events as well', () => {
  const { index, held, finish, count } = engineWithEvents(0);
  const sized = (blocksTotal: number) => {
    a.reported = {
      ...{ atSeconds: 0, running: 0, waiting: 0, kvUsage: 0 },
      blocksTotal,
      blockTokens: 16,
    };
    held.sent(a, held.chainOf(request));
  };
  // 2,000 tokens are 31 blocks of 256 bytes at 4 bytes per token.
  sized(125);
  finish(0, { promptTokens: 2000, cachedTokens: 0 }, 64);
  sized(126);
  a.reported = undefined;
  index.setKnowledge('a', 'none');
  // 2,016 tokens at 4 + 4 · (1 - (63 / 64) ** 64) = 6.54 bytes.
  assert.equal(count(), 51 * 64);
});

test('tokens of a prompt in flight are rounded down', () => {
  const { held } = engineWithEvents(0);
  const shorter = { ...request, promptTokens: 3999 };
  held.sent(a, held.chainOf(shorter));
  // 62 blocks of 63.98 tokens.
  assert.deepEqual(counted(held, shorter, a), [3967]);
});
