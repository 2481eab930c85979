// Invariants for any requests, limits and aborts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  defaultEngineConfig,
  type EngineConfig,
  EngineModel,
  type EngineRequest,
} from './index.ts';

const settings = fc.record({
  blockSize: fc.constantFrom(1, 4, 16),
  maxModelLen: fc.integer({ min: 8, max: 80 }),
  spareBlocks: fc.nat(8),
  maxNumSeqs: fc.integer({ min: 1, max: 6 }),
  maxNumBatchedTokens: fc.integer({ min: 1, max: 64 }),
  enablePrefixCaching: fc.boolean(),
  schedulingPolicy: fc.constantFrom('fcfs' as const, 'priority' as const),
  longPrefillTokenThreshold: fc.constantFrom(0, 5),
  watermark: fc.constantFrom(0, 0.1),
  schedulerReserveFullIsl: fc.boolean(),
});

const arrivals = fc.array(
  fc.record({
    gap: fc.nat(2),
    prompt: fc.integer({ min: 1, max: 70 }),
    output: fc.integer({ min: 1, max: 40 }),
    priority: fc.nat(2),
    /** Requests of one family share the prefix of their prompts. */
    family: fc.nat(2),
    /** Step at which the client disconnects; most stay. */
    abortAfter: fc.option(fc.nat(30), { freq: 4 }),
    /** Output token after which a stop string is found; most have none. */
    stopAt: fc.option(fc.nat(20), { freq: 4 }),
  }),
  { maxLength: 25, size: 'max' },
);

interface Run {
  readonly log: readonly string[];
  readonly admissions: readonly string[];
  readonly outcomes: ReadonlyMap<string, string>;
  readonly engine: EngineModel;
}

test('no block is lost or shared wrongly, no limit is exceeded, and every request ends', () => {
  fc.assert(
    fc.property(settings, arrivals, (limits, requests) => {
      const config = configOf(limits);
      const { outcomes, engine } = run(config, requests);
      const accepted = requests.filter(({ prompt }) => prompt < config.maxModelLen);
      assert.equal(outcomes.size, accepted.length, 'each request ends once');
      assert.equal(engine.stats.blocksUsed, 0, 'no request holds a block at the end');
      assert.equal(engine.resetPrefixCache(), true);
    }),
    { numRuns: 150 },
  );
});

test('equal inputs give equal runs', () => {
  fc.assert(
    fc.property(settings, arrivals, (limits, requests) => {
      const config = configOf(limits);
      assert.deepEqual(run(config, requests).log, run(config, requests).log);
    }),
    { numRuns: 30 },
  );
});

test('first come, first served: no request is admitted before an earlier one', () => {
  fc.assert(
    fc.property(settings, arrivals, (limits, requests) => {
      const config = { ...configOf(limits), schedulingPolicy: 'fcfs' as const };
      const { admissions } = run(config, requests);
      const inOrder = [...admissions].sort((a, b) => Number(a) - Number(b));
      assert.deepEqual(admissions, inOrder);
    }),
    { numRuns: 60 },
  );
});

function configOf({
  spareBlocks,
  ...rest
}: typeof settings extends fc.Arbitrary<infer T> ? T : never) {
  const least = Math.ceil(rest.maxModelLen / rest.blockSize) + 1;
  return defaultEngineConfig({ ...rest, numGpuBlocks: Math.max(2, least) + spareBlocks });
}

/** Runs to the end, auditing the engine in each step, and counts each request's tokens. */
function run(
  config: EngineConfig,
  requests: readonly (typeof arrivals extends fc.Arbitrary<(infer T)[]> ? T : never)[],
): Run {
  const log: string[] = [];
  const admissions: string[] = [];
  const outcomes = new Map<string, string>();
  /** Per request: tokens computed or found since it was last (re)started, and those sampled. */
  const known = new Map<string, { computed: number; sampled: number; running: boolean }>();
  const entry = (id: string) => known.get(id) ?? assert.fail(`${id} is unknown`);
  const engine = new EngineModel({
    config,
    cost: { stepSeconds: ({ tokens }) => 1 + tokens / 1000 },
    listener: {
      admitted: ({ id }, cachedTokens) => {
        admissions.push(id);
        Object.assign(entry(id), { computed: cachedTokens, running: true });
      },
      resumed: ({ id }, cachedTokens) => {
        Object.assign(entry(id), { computed: cachedTokens, running: true });
      },
      preempted: ({ id }) => {
        Object.assign(entry(id), { computed: 0, running: false });
      },
      finished: ({ id }, reason) => {
        assert.equal(outcomes.has(id), false);
        outcomes.set(id, reason);
      },
      blocksStored: ({ id }, first, count) => log.push(`stored ${id} ${first} ${count}`),
      blockRemoved: (key) => log.push(`removed ${key}`),
    },
  });
  let next = 0;
  let dueStep = requests[0]?.gap ?? 0;
  let now = 0;
  for (let step = 0; ; step++) {
    assert.ok(step < 20_000, 'starved');
    for (; next < requests.length && dueStep <= step; next++, dueStep += requests[next]?.gap ?? 0) {
      const request = requestOf(next, requests[next] ?? assert.fail(), now);
      if (request.promptTokens >= config.maxModelLen) continue;
      known.set(request.id, { computed: 0, sampled: 0, running: false });
      engine.add(request);
    }
    requests.forEach(({ abortAfter }, index) => {
      if (abortAfter === step) engine.abort(String(index));
    });
    const planned = engine.schedule(now);
    engine.audit();
    if (planned === undefined) {
      assert.equal(
        engine.stats.running + engine.stats.waiting,
        0,
        'the engine is idle but has requests',
      );
      if (next === requests.length) return { log, admissions, outcomes, engine };
      continue;
    }
    const tokens = planned.scheduledTokens.reduce((sum, n) => sum + n, 0);
    assert.ok(tokens > 0 && tokens <= config.maxNumBatchedTokens, 'token budget');
    assert.equal(tokens, planned.load.tokens);
    assert.equal(planned.load.prefillTokens + planned.load.decodeSequences, tokens);
    planned.requests.forEach(({ id }, i) => {
      assert.ok(entry(id).running, 'only requests with blocks compute');
      entry(id).computed += planned.scheduledTokens[i] ?? 0;
    });
    log.push(planned.requests.map(({ id }, i) => `${id}:${planned.scheduledTokens[i]}`).join(' '));
    now = planned.endSeconds;
    engine.complete(planned, (request, outputIndex) => {
      const counts = entry(request.id);
      assert.equal(outputIndex, counts.sampled, 'output tokens are sampled one by one');
      assert.equal(counts.computed, request.promptTokens + counts.sampled, 'all tokens computed');
      counts.sampled++;
      assert.ok(request.promptTokens + counts.sampled <= config.maxModelLen);
      assert.ok(counts.sampled <= request.maxTokens);
      return outputIndex === requests[Number(request.id)]?.stopAt;
    });
    engine.audit();
  }
}

function requestOf(
  index: number,
  {
    prompt,
    output,
    priority,
    family,
  }: { prompt: number; output: number; priority: number; family: number },
  arrivalSeconds: number,
): EngineRequest {
  return {
    id: String(index),
    promptTokens: prompt,
    maxTokens: output,
    priority,
    arrivalSeconds,
    blockKey: (block) => `${block < 3 ? family : `own ${index}`}/${block}`,
  };
}
