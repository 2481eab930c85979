import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  defaultEngineConfig,
  EngineModel,
  type EngineRequest,
  type KvConnector,
  MultiConnector,
  NativeOffload,
  nativeOffloadConfig,
  type TieredSequence,
  type TierHit,
} from '../index.ts';

test('loads from the first connector with tokens, and stores to all', () => {
  const log: string[] = [];
  const multi = new MultiConnector([
    scripted('a', log, { tokens: 0 }),
    scripted('b', log, { tokens: 1 }),
    scripted('c', log, { tokens: 12 }),
  ]);
  const sequence = sequenceOf('x');
  const hit = multi.lookup(sequence, 4, 0) ?? assert.fail();
  assert.equal(hit.tokens, 1);
  multi.load(sequence, 4, hit, 0);
  const step = {
    ...{ startSeconds: 10, computeSeconds: 1, sequences: [], scheduledTokens: [] },
    ...{ preempted: [], allocatedBlocks: [] },
  };
  assert.equal(multi.planned(step), 3);
  multi.finished(sequence);
  assert.deepEqual(log, [
    ...['a asked', 'b asked', 'c asked', 'b loads 1'],
    ...['a plans at 10', 'b plans at 11', 'c plans at 12'],
    ...['a ends', 'b ends', 'c ends'],
  ]);
});

test('a request waits while a connector has no result, and those after it are not queried', () => {
  const log: string[] = [];
  const multi = new MultiConnector([
    scripted('a', log, undefined),
    scripted('b', log, { tokens: 8 }),
  ]);
  assert.equal(multi.lookup(sequenceOf('x'), 0, 0), undefined);
  assert.deepEqual(log, ['a asked']);
});

test('frees the blocks of an ended request when the last connector that keeps them releases them', () => {
  const sequence = sequenceOf('x');
  const done: TieredSequence[][] = [[], []];
  const keeping = done.map((ended, i) => ({
    ...scripted(String(i), [], { tokens: 0 }),
    keepsBlocks: () => true,
    advance: () => ended.splice(0),
  }));
  const multi = new MultiConnector([scripted('a', [], { tokens: 0 }), ...keeping]);
  assert.equal(multi.keepsBlocks(sequence, 'stop'), true);
  done[1]?.push(sequence);
  assert.deepEqual(multi.advance(1), []);
  done[0]?.push(sequence);
  assert.deepEqual(multi.advance(2), [sequence]);
});

test('an engine skips a pool without capacity and uses the next one', () => {
  const pools = [0, 100].map(
    (chunksMax) => new NativeOffload({ config: { ...offload, chunksMax }, blockSize: 4 }),
  );
  const connector = new MultiConnector(pools);
  const config = defaultEngineConfig({
    ...{ blockSize: 4, numGpuBlocks: 9, maxModelLen: 32, maxNumBatchedTokens: 32, maxNumSeqs: 8 },
  });
  const engine = new EngineModel({ config, cost: { stepSeconds: () => 1 }, connector });
  let now = 0;
  // The second takes all blocks, so that the third finds no blocks of the first on the GPU.
  for (const [id, text, promptTokens] of [
    ['a', 'a', 8],
    ['b', 'b', 31],
    ['c', 'a', 8],
  ] as const) {
    engine.add(requestOf(id, text, promptTokens));
    now = runAll(engine, now);
  }
  assert.equal(engine.stats.externalCacheHits, 8);
  const [without, withRoom] = pools.map(({ stats }) => stats.loads.transfers);
  assert.deepEqual([without, withRoom], [0, 1]);
  const { loads, tiers, allocationFailures } = connector.stats;
  assert.deepEqual([loads.transfers, tiers.length], [1, 2]);
  assert.ok(allocationFailures > 0, 'the first connector was to store, too');
  assert.equal(engine.resetPrefixCache({ resetConnector: true }), true);
  assert.deepEqual(
    connector.stats.tiers.map(({ chunks }) => chunks),
    [0, 0],
  );
});

/** One byte per token and one byte per second. */
const offload = nativeOffloadConfig({
  ...{ hostBytes: 1e9, blockBytesPerGpu: 4, link: { bytesPerSecond: 1 } },
});

/** Runs until nothing is left to do. */
function runAll(engine: EngineModel, from: number): number {
  for (let now = from; ; ) {
    const step = engine.schedule(now);
    engine.audit();
    if (step) {
      now = step.endSeconds;
      engine.complete(step, () => false);
    } else if (Number.isFinite(engine.wakeSeconds)) now = engine.wakeSeconds;
    else return now;
  }
}

function requestOf(id: string, text: string, promptTokens: number): EngineRequest {
  return {
    ...{ id, promptTokens, maxTokens: 1, priority: 0, arrivalSeconds: 0 },
    blockKey: (index) => `${text}/${index}`,
  };
}

function sequenceOf(id: string): TieredSequence {
  const request = requestOf(id, id, 16);
  return { request, knownTokens: 16, computedTokens: 0, blocks: [], blockKey: request.blockKey };
}

/** Returns this result for every lookup, and adds a second to each step. */
function scripted(
  name: string,
  log: string[],
  answer: { readonly tokens: number } | undefined,
): KvConnector {
  const transfers = { transfers: 0, bytes: 0, seconds: 0 };
  return {
    nextSeconds: Number.POSITIVE_INFINITY,
    stats: {
      ...{ loads: transfers, stores: transfers, allocationFailures: 0, storesSkipped: 0 },
      tiers: [],
    },
    lookup(): TierHit | undefined {
      log.push(`${name} asked`);
      return answer && { ...answer, isAsync: true, source: 'host' };
    },
    load: (_sequence, _localTokens, { tokens }) => void log.push(`${name} loads ${tokens}`),
    planned({ startSeconds }) {
      log.push(`${name} plans at ${startSeconds}`);
      return 1;
    },
    advance: () => [],
    finished: () => void log.push(`${name} ends`),
    reset: () => true,
  };
}

test('figures of all connectors are added up', () => {
  const of = (bytes: number) => {
    const stats = { transfers: 1, bytes, seconds: 2 };
    const figures = { loads: stats, stores: { ...stats, bytes: 2 * bytes }, tiers: [] };
    const counts = { allocationFailures: 3, storesSkipped: 4 };
    return { ...scripted('x', [], { tokens: 0 }), stats: { ...figures, ...counts } };
  };
  assert.deepEqual(new MultiConnector([of(5), of(7)]).stats, {
    loads: { transfers: 2, bytes: 12, seconds: 4 },
    stores: { transfers: 2, bytes: 24, seconds: 4 },
    ...{ allocationFailures: 6, storesSkipped: 8, tiers: [] },
  });
});
