// Invariants of engines that hand prompts to each other, for any requests, pools, links and
// failures.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultEngineConfig, EngineModel, type EngineRequest, KvExchange } from '../index.ts';

const blockSize = 4;
const blockBytes = 4;

const setting = fc.record({
  prefillEngines: fc.integer({ min: 1, max: 3 }),
  decodeEngines: fc.integer({ min: 1, max: 3 }),
  blocks: fc.integer({ min: 14, max: 40 }),
  enablePrefixCaching: fc.boolean(),
  /** Steps take 1 s; a block has 4 bytes. */
  bytesPerSecond: fc.constantFrom(1, 4, 40, Number.POSITIVE_INFINITY),
  latencySeconds: fc.constantFrom(0, 0.3),
});
const arrivals = fc.array(
  fc.record({
    gap: fc.nat(3),
    prompt: fc.integer({ min: 1, max: 40 }),
    output: fc.integer({ min: 1, max: 8 }),
    /** Requests of one family share the first blocks of their prompts. */
    family: fc.nat(2),
    shared: fc.nat(10),
    /** The client disconnects this many seconds after its arrival. */
    abortAfter: fc.option(fc.nat(20), { freq: 6 }),
  }),
  { minLength: 1, maxLength: 20, size: 'max' },
);
type Setting = typeof setting extends fc.Arbitrary<infer T> ? T : never;
type Arrivals = typeof arrivals extends fc.Arbitrary<infer T> ? T : never;

/** Runs engines that take requests in turn. */
function play(options: Setting, requests: Arrivals, died?: { engine: number; at: number }) {
  const { prefillEngines, decodeEngines, blocks, enablePrefixCaching } = options;
  const { bytesPerSecond, latencySeconds } = options;
  const count = prefillEngines + decodeEngines;
  const reads: { id: string; bytes: number }[] = [];
  const exchange = new KvExchange({
    engines: Array.from({ length: count }, () => ({ bytesPerSecond, blockBytes, blockSize })),
    latencySeconds,
    onRead: ({ id, bytes }) => reads.push({ id, bytes }),
  });
  const cost = { stepSeconds: () => 1 };
  const config = defaultEngineConfig({
    ...{ numGpuBlocks: blocks, blockSize, maxModelLen: 48, enablePrefixCaching },
    ...{ maxNumBatchedTokens: 16, maxNumSeqs: 4 },
  });
  const found = new Map<string, number>();
  const engines = Array.from({ length: count }, (_, engine) => ({
    model: newModel(engine),
    step: undefined as ReturnType<EngineModel['schedule']>,
  }));
  function newModel(engine: number): EngineModel {
    const listener = {
      admitted: ({ id }: EngineRequest, cached: number, _now: number, external: number) => {
        if (engine >= prefillEngines) found.set(id, cached - external);
      },
    };
    return new EngineModel({ config, cost, listener, connector: exchange.connect(engine) });
  }
  const lifes = requests.map((request, i) => ({
    ...{ request, id: String(i), at: sumOfGaps(requests, i), done: 0, ended: false },
    ...{ engine: i % prefillEngines },
  }));
  const hops: { life: (typeof lifes)[number]; at: number }[] = [];
  const queued = [...lifes];
  let aborts = lifes.filter(({ request }) => request.abortAfter !== null);
  let death = died;
  const order: string[] = [];
  for (let guard = 0; ; guard++) {
    assert.ok(guard < 20_000, 'no end');
    const times = [
      queued[0]?.at,
      hops[0]?.at,
      death?.at,
      exchange.nextSeconds,
      ...aborts.map(({ at, request }) => at + (request.abortAfter ?? 0)),
      ...engines.map(({ step }) => step?.endSeconds),
    ].map((time) => time ?? Number.POSITIVE_INFINITY);
    const now = Math.min(...times);
    if (now === Number.POSITIVE_INFINITY) break;
    for (const [i, engine] of engines.entries()) {
      if (engine.step?.endSeconds !== now) continue;
      const { step } = engine;
      engine.step = undefined;
      engine.model.complete(step, ({ id }) => {
        const life = lifes[Number(id)] as (typeof lifes)[number];
        order.push(`${id}@${i}:${now}`);
        if (i < prefillEngines) hops.push({ life, at: now });
        else if (++life.done === Math.max(1, life.request.output)) life.ended = true;
        return false;
      });
    }
    exchange.advance(now);
    for (const life of aborts.filter((one) => one.at + (one.request.abortAfter ?? 0) <= now)) {
      life.ended = true;
      for (const { model } of engines) model.abort(life.id);
      exchange.abandon(life.id, now);
    }
    aborts = aborts.filter((one) => one.at + (one.request.abortAfter ?? 0) > now);
    while ((hops[0]?.at ?? Number.POSITIVE_INFINITY) <= now) {
      const { life } = hops.shift() as (typeof hops)[number];
      if (life.ended) continue;
      life.engine = prefillEngines + (Number(life.id) % decodeEngines);
      engines[life.engine]?.model.add(requestOf(life.id, life.request));
    }
    while ((queued[0]?.at ?? Number.POSITIVE_INFINITY) <= now) {
      const life = queued.shift() as (typeof queued)[number];
      if (life.ended) continue;
      exchange.expect(life.id, life.engine);
      const one = { ...life.request, output: 1 };
      engines[life.engine]?.model.add(requestOf(life.id, one));
    }
    if (death && death.at <= now) {
      const { engine } = death;
      death = undefined;
      exchange.engineFailed(engine, now);
      // Its own requests are gone; those that would have read from it continue without.
      for (const life of lifes.filter((one) => one.engine === engine)) {
        life.ended = true;
        exchange.abandon(life.id, now);
      }
      (engines[engine] as (typeof engines)[number]).model = newModel(engine);
      (engines[engine] as (typeof engines)[number]).step = undefined;
    }
    for (const engine of engines) {
      engine.step ??= engine.model.schedule(now);
      engine.model.audit();
    }
  }
  return { engines: engines.map(({ model }) => model), exchange, reads, lifes, found, order };
}

function sumOfGaps(requests: Arrivals, index: number): number {
  return requests.slice(0, index + 1).reduce((sum, { gap }) => sum + gap, 0);
}

function requestOf(id: string, { prompt, output, family, shared }: Arrivals[number]) {
  return {
    ...{ id, promptTokens: prompt, maxTokens: Math.min(output, 47 - prompt + 1) },
    ...{ priority: 0, arrivalSeconds: 0 },
    blockKey: (block: number) =>
      block < shared ? family * 1000 + block : 1e6 + Number(id) * 1000 + block,
  };
}

test('no block is lost on either side, and every request ends', () => {
  fc.assert(
    fc.property(setting, arrivals, (options, requests) => {
      const { engines, exchange, lifes } = play(options, requests);
      for (const life of lifes) assert.ok(life.ended, `request ${life.id} never ended`);
      for (const { stats } of engines) assert.deepEqual([stats.blocksUsed, stats.waiting], [0, 0]);
      assert.equal(exchange.size, 0);
    }),
    { numRuns: 200 },
  );
});

test('reads each prompt once, in whole blocks, without the blocks that its reader has', () => {
  fc.assert(
    fc.property(setting, arrivals, (options, given) => {
      const requests = given.map((request) => ({ ...request, abortAfter: null }));
      const { reads, found, engines } = play(options, requests);
      assert.deepEqual(
        reads.map(({ id }) => Number(id)).sort((a, b) => a - b),
        [...requests.keys()],
      );
      for (const { id, bytes } of reads) {
        const { prompt } = requests[Number(id)] as Arrivals[number];
        const blocks = Math.ceil(prompt / blockSize) - (found.get(id) ?? 0) / blockSize;
        assert.equal(bytes, blocks * blockBytes);
      }
      const total = (of: (model: EngineModel) => number | undefined) =>
        engines.reduce((sum, model) => sum + (of(model) ?? 0), 0);
      const read = reads.reduce((sum, { bytes }) => sum + bytes, 0);
      assert.equal(
        total(({ stats }) => stats.tiers?.loads.bytes),
        read,
      );
      assert.equal(
        total(({ stats }) => stats.tiers?.stores.bytes),
        read,
      );
    }),
    { numRuns: 100 },
  );
});

test('a failed engine loses its own requests; other engines recompute what it kept for them', () => {
  fc.assert(
    fc.property(
      setting,
      arrivals,
      fc.nat(5),
      fc.integer({ min: 1, max: 30 }),
      (options, requests, engine, at) => {
        const count = options.prefillEngines + options.decodeEngines;
        const { engines, lifes } = play(options, requests, { engine: engine % count, at });
        for (const life of lifes) assert.ok(life.ended, `request ${life.id} never ended`);
        for (const { stats } of engines) {
          assert.deepEqual([stats.blocksUsed, stats.waiting], [0, 0]);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('equal requests give equal runs', () => {
  fc.assert(
    fc.property(setting, arrivals, (options, requests) => {
      assert.deepEqual(play(options, requests).order, play(options, requests).order);
    }),
    { numRuns: 30 },
  );
});
