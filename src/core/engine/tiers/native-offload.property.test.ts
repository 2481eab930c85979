// Invariants for any requests, pool and link.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  defaultEngineConfig,
  EngineModel,
  type EngineRequest,
  type KvConnector,
  NativeOffload,
  nativeOffloadConfig,
} from '../index.ts';

const blockSize = 4;
const maxModelLen = 48;

const limits = fc.record({
  spareBlocks: fc.nat(8),
  maxNumSeqs: fc.integer({ min: 1, max: 6 }),
  maxNumBatchedTokens: fc.integer({ min: 1, max: 48 }),
  enablePrefixCaching: fc.boolean(),
  schedulingPolicy: fc.constantFrom('fcfs' as const, 'priority' as const),
  schedulerReserveFullIsl: fc.boolean(),
});

const tier = fc.record({
  chunksMax: fc.nat(40),
  blocksPerChunk: fc.constantFrom(1, 2, 3),
  eviction: fc.constantFrom('lru', 'arc'),
  storeThreshold: fc.constantFrom(0, 0, 2),
  promptOnly: fc.boolean(),
  /** Steps take 1 s; a block has 4 bytes. */
  bytesPerSecond: fc.constantFrom(1, 4, 40, Number.POSITIVE_INFINITY),
});

const arrivals = fc.array(
  fc.record({
    gap: fc.nat(3),
    prompt: fc.integer({ min: 1, max: 46 }),
    output: fc.integer({ min: 1, max: 20 }),
    priority: fc.nat(2),
    /** Requests of one family share the first blocks of their prompts. */
    family: fc.nat(2),
    shared: fc.nat(10),
    abortAfter: fc.option(fc.nat(40), { freq: 5 }),
  }),
  { maxLength: 25, size: 'max' },
);

type Limits = typeof limits extends fc.Arbitrary<infer T> ? T : never;
type Tier = typeof tier extends fc.Arbitrary<infer T> ? T : never;
type Arrivals = typeof arrivals extends fc.Arbitrary<infer T> ? T : never;

test('no block is lost, no hit exceeds its prompt, and every request ends', () => {
  fc.assert(
    fc.property(limits, tier, arrivals, (settings, pool, requests) => {
      const { engine, connector, ended } = run(settings, requests, pool);
      assert.equal(ended, requests.length);
      assert.deepEqual([engine.stats.blocksUsed, engine.stats.waiting], [0, 0]);
      const { loads, stores, tiers } = connector?.stats ?? assert.fail();
      assert.ok(stores.bytes === 0 || tiers[0]?.chunksMax);
      assert.ok(engine.stats.externalCacheHits <= engine.stats.externalCacheQueries);
      assert.ok(loads.bytes >= engine.stats.externalCacheHits * (loads.transfers > 0 ? 1 : 0));
      assert.equal(engine.resetPrefixCache({ resetConnector: true }), true);
      assert.equal(connector?.stats.tiers[0]?.chunks, 0);
    }),
    { numRuns: 200 },
  );
});

test('a pool without capacity changes nothing at all', () => {
  fc.assert(
    fc.property(limits, tier, arrivals, (settings, pool, requests) => {
      const empty = { ...pool, chunksMax: 0 };
      assert.deepEqual(run(settings, requests, empty).log, run(settings, requests).log);
    }),
    { numRuns: 60 },
  );
});

test('equal inputs give equal runs', () => {
  fc.assert(
    fc.property(limits, tier, arrivals, (settings, pool, requests) => {
      assert.deepEqual(run(settings, requests, pool).log, run(settings, requests, pool).log);
    }),
    { numRuns: 30 },
  );
});

/** Runs to the end, auditing engine and pool in each step. */
function run({ spareBlocks, ...rest }: Limits, requests: Arrivals, pool?: Tier) {
  const config = defaultEngineConfig({
    ...{ ...rest, blockSize, maxModelLen },
    numGpuBlocks: maxModelLen / blockSize + 1 + spareBlocks,
  });
  const connector = pool && connectorOf(pool, rest.enablePrefixCaching);
  const log: string[] = [];
  let ended = 0;
  const known = new Map<string, { computed: number; sampled: number }>();
  const entry = (id: string) => known.get(id) ?? assert.fail(id);
  const engine = new EngineModel({
    ...{ config, connector: connector as KvConnector | undefined },
    cost: { stepSeconds: () => 1 },
    listener: {
      admitted(request, cachedTokens, _now, externalTokens) {
        assert.ok(externalTokens >= 0 && externalTokens <= cachedTokens);
        assert.ok(cachedTokens <= request.promptTokens);
        // The last token is computed in any case.
        entry(request.id).computed = Math.min(cachedTokens, request.promptTokens - 1);
      },
      resumed(request, cachedTokens) {
        const { sampled } = entry(request.id);
        entry(request.id).computed = Math.min(cachedTokens, request.promptTokens + sampled - 1);
      },
      finished: () => ended++,
      blocksStored: ({ id }, first, count) => log.push(`stored ${id} ${first} ${count}`),
      blockRemoved: (key) => log.push(`removed ${key}`),
    },
  });
  let [next, now, due] = [0, 0, requests[0]?.gap ?? 0];
  for (let step = 0; ; step++) {
    assert.ok(step < 20_000, 'starved');
    for (; next < requests.length && due <= step; next++, due += requests[next]?.gap ?? 0) {
      known.set(String(next), { computed: 0, sampled: 0 });
      engine.add(requestOf(next, requests[next] ?? assert.fail(), now));
    }
    requests.forEach(({ abortAfter }, index) => {
      if (abortAfter === step) engine.abort(String(index));
    });
    const planned = engine.schedule(now);
    engine.audit();
    connector?.audit();
    if (planned === undefined) {
      if (Number.isFinite(engine.wakeSeconds)) now = Math.max(now, engine.wakeSeconds);
      else if (next === requests.length) return { engine, connector, log, ended };
      continue;
    }
    planned.requests.forEach(({ id }, i) => {
      entry(id).computed += planned.scheduledTokens[i] ?? 0;
    });
    log.push(planned.requests.map(({ id }, i) => `${id}:${planned.scheduledTokens[i]}`).join(' '));
    now = planned.endSeconds;
    engine.complete(planned, (request) => {
      const counts = entry(request.id);
      assert.equal(counts.computed, request.promptTokens + counts.sampled++, 'all computed');
      return false;
    });
    engine.audit();
  }
}

function connectorOf(pool: Tier, enablePrefixCaching: boolean): NativeOffload {
  const { chunksMax, bytesPerSecond, ...rest } = pool;
  const config = nativeOffloadConfig({
    ...{ ...rest, hostBytes: 1, blockBytesPerGpu: 4, link: { bytesPerSecond } },
  });
  return new NativeOffload({ config: { ...config, chunksMax }, blockSize, enablePrefixCaching });
}

function requestOf(
  index: number,
  { prompt, output, priority, family, shared }: Arrivals[number],
  arrivalSeconds: number,
): EngineRequest {
  return {
    ...{ id: String(index), promptTokens: prompt, maxTokens: output, priority, arrivalSeconds },
    blockKey: (block) => `${block < shared ? family : `own ${index}`}/${block}`,
  };
}
