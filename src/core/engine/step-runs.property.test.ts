// Steps planned as a run give exactly the same results as single steps.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  defaultEngineConfig,
  type EngineConfig,
  EngineModel,
  type EngineRequest,
  type EngineStep,
} from './index.ts';

const settings = fc.record({
  blockSize: fc.constantFrom(1, 4, 16),
  maxModelLen: fc.integer({ min: 40, max: 120 }),
  spareBlocks: fc.nat(20),
  maxNumSeqs: fc.integer({ min: 1, max: 6 }),
  maxNumBatchedTokens: fc.integer({ min: 2, max: 64 }),
  enablePrefixCaching: fc.boolean(),
  schedulingPolicy: fc.constantFrom('fcfs' as const, 'priority' as const),
  longPrefillTokenThreshold: fc.constantFrom(0, 5),
});

const arrivals = fc.array(
  fc.record({
    // Steps take whole seconds, so that many requests arrive within a run and some just as a step
    // ends.
    gapSeconds: fc.oneof(fc.nat(60), fc.double({ min: 0, max: 60, noNaN: true })),
    prompt: fc.integer({ min: 1, max: 39 }),
    output: fc.integer({ min: 1, max: 60 }),
    priority: fc.nat(2),
    family: fc.nat(2),
  }),
  { minLength: 1, maxLength: 12 },
);

type Arrival = typeof arrivals extends fc.Arbitrary<(infer T)[]> ? T : never;

test('a run of steps yields every token, block and count at the same time as single steps', () => {
  let longest = 1;
  fc.assert(
    fc.property(settings, arrivals, fc.boolean(), ({ spareBlocks, ...rest }, requests, listens) => {
      const numGpuBlocks = Math.ceil(rest.maxModelLen / rest.blockSize) + 2 + spareBlocks;
      const config = defaultEngineConfig({ ...rest, numGpuBlocks });
      const runs = play(config, requests, listens, (engine, now) => engine.scheduleRun(now));
      const single = play(config, requests, listens, (engine, now) => engine.schedule(now));
      longest = Math.max(longest, runs.longest);
      assert.deepEqual(runs.log, single.log);
    }),
    { numRuns: 300 },
  );
  assert.ok(longest > 10, `the longest run had ${longest} steps`);
});

/**
 * Serves the requests and records each token with its time, each block, and each change of counts.
 *
 * @param listens Whether a listener is notified of each block as it becomes findable; runs are
 * longer without.
 */
function play(
  config: EngineConfig,
  requests: readonly Arrival[],
  listens: boolean,
  schedule: (engine: EngineModel, nowSeconds: number) => EngineStep | undefined,
) {
  const log: string[] = [];
  const engine = new EngineModel({
    config,
    cost: { stepSeconds: ({ tokens, decodeContextTokens }) => tokens + (decodeContextTokens % 3) },
    listener: {
      admitted: ({ id }, cached) => log.push(`${id} admitted with ${cached}`),
      preempted: ({ id }) => log.push(`${id} preempted`),
      finished: ({ id }, reason) => log.push(`${id} ${reason}`),
      ...(listens && {
        blocksStored: ({ id }, first, count) => log.push(`${id} stores ${first}+${count}`),
      }),
      blockRemoved: (key) => log.push(`${key} removed`),
    },
  });
  const tokens = requests.map((): number[] => []);
  let longest = 0;
  let next = 0;
  let arrival = requests[0]?.gapSeconds ?? 0;
  let step: EngineStep | undefined;
  for (;;) {
    if (next < requests.length && arrival <= (step?.endSeconds ?? Infinity)) {
      engine.cutRun(arrival);
      const { running, waiting, kvUsage } = engine.stats;
      log.push(`${arrival}: ${running} run, ${waiting} wait, ${kvUsage} held`);
      engine.add(requestOf(next, requests[next] as Arrival));
      step ??= schedule(engine, arrival);
      arrival += requests[++next]?.gapSeconds ?? 0;
    } else if (step) {
      const { endSeconds, endsSeconds } = step;
      longest = Math.max(longest, endsSeconds.length);
      engine.complete(step, ({ id }, outputIndex) => {
        const times = tokens[Number(id)] as number[];
        times.push(...endsSeconds);
        assert.equal(times.length, outputIndex + 1);
        return false;
      });
      engine.audit();
      step = schedule(engine, endSeconds);
    } else break;
  }
  log.push(JSON.stringify(engine.stats), JSON.stringify(tokens));
  return { log, longest };
}

function requestOf(index: number, { prompt, output, priority, family }: Arrival): EngineRequest {
  return {
    id: String(index),
    promptTokens: prompt,
    maxTokens: output,
    priority,
    arrivalSeconds: 0,
    blockKey: (block) => `${block < 3 ? family : `own ${index}`}/${block}`,
  };
}
