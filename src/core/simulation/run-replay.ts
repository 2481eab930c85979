// Replays a trace on the engine cores of one vLLM server, on a virtual clock, and records what the
// server's own timestamps would show.
import { InputError } from '../base/index.ts';
import {
  type BlockKey,
  type EngineConfig,
  EngineModel,
  type EngineRequest,
  type EngineStep,
  type KvConnector,
  type LockstepCostModel,
  type StepCostModel,
} from '../engine/index.ts';
import type { Trace, TraceRequest } from '../traces/index.ts';
import { BusyTime } from './busy-time.ts';
import { CoreAssignment, type CoreCounts, CountCoordinator } from './core-assignment.ts';
import type { Timing } from './timing.ts';

export interface RunOptions {
  /** One block of the trace may be several blocks of the engine, or the reverse. */
  readonly trace: Trace;
  readonly config: EngineConfig;
  readonly cost: StepCostModel;
  /** Engine cores, each with a separate KV cache (vLLM's data parallelism); default 1. */
  readonly dataParallelSize?: number;
  /** Step time of cores that execute every step together; by default each core steps independently. */
  readonly lockstep?: LockstepCostModel | undefined;
  /** The tiers below the KV cache of each core; default none. */
  readonly createConnector?: (core: number) => KvConnector;
}

/** State of the engine at the start of a step; over all cores. */
export interface RunSample {
  readonly seconds: number;
  readonly running: number;
  readonly waiting: number;
  readonly blocksUsed: number;
}

export interface RunResult {
  /** Aligned with the requests of the trace. */
  readonly timings: readonly Timing[];
  readonly steps: number;
  readonly preemptions: number;
  /** Mean over the cores of the share of the time up to the last arrival in which a step ran. */
  readonly utilization: number;
  /** One sample for each planned step, in order of time. */
  readonly samples: readonly RunSample[];
  /** Tokens of prompts and responses that were computed again after a preemption. */
  readonly recomputedAfterPreemption: number;
  /** Prompt tokens that were computed again after their blocks had been evicted. */
  readonly recomputedAfterEviction: number;
}

interface MutableTiming extends Timing {
  queuedSeconds: number;
  cachedTokens: number;
  readonly tokenSeconds: number[];
}

interface Core {
  readonly engine: EngineModel;
  step: EngineStep | undefined;
  stepEndSeconds: number;
  readonly busy: BusyTime;
  /** Requests that arrived while a step ran. */
  readonly inbox: number[];
  /** At the end of its last step. */
  counts: CoreCounts;
}

/**
 * Runs the requests through the model with their arrivals and lengths. Like vLLM's engine process, a core
 * accepts new requests between steps, and the latency of a request counts from there. One API server assigns the
 * requests to the cores, by counts that may be old.
 *
 * @throws {InputError} If a prompt is longer than the engine's context, or neither block size is a
 *   multiple of the other.
 */
export function replayRun(options: RunOptions): RunResult {
  const { trace, config, cost, dataParallelSize = 1, lockstep, createConnector } = options;
  const { requests } = trace;
  const { blockSize } = config;
  const keyOf = blockKeys(trace.blockTokens, blockSize);
  const timings = requests.map(
    ({ arrivalSeconds, promptTokens }, index): MutableTiming => ({
      index,
      arrivalSeconds,
      queuedSeconds: NaN,
      tokenSeconds: [],
      promptTokens,
      cachedTokens: 0,
      engine: 0,
    }),
  );
  const timingOf = (id: string) => timings[Number(id)] as MutableTiming;
  const cores = Array.from({ length: dataParallelSize }, (_, index): Core => {
    const admitted = ({ id }: EngineRequest, cachedTokens: number) => {
      timingOf(id).cachedTokens = cachedTokens;
    };
    const engine = new EngineModel({
      ...{ config, cost, listener: { admitted }, connector: createConnector?.(index) },
      countsEvicted: true,
    });
    const nothing = { step: undefined, stepEndSeconds: NaN, counts: [0, 0] as const };
    return { engine, ...nothing, busy: new BusyTime(), inbox: [] };
  });

  const sum = (of: (core: Core) => number) => cores.reduce((total, core) => total + of(core), 0);
  const samples: RunSample[] = [];
  const server = new CoreAssignment(dataParallelSize);
  const coordinator = new CountCoordinator();
  /** The first request that has not arrived yet. */
  let next = 0;

  const takeIn = (core: Core, now: number): void => {
    for (const index of core.inbox.splice(0)) {
      core.engine.add(engineRequest(requests[index] as TraceRequest, index, keyOf, blockSize));
      (timings[index] as MutableTiming).queuedSeconds = now;
    }
    core.step = core.engine.schedule(now);
    core.stepEndSeconds = core.step?.endSeconds ?? NaN;
    samples.push({
      seconds: now,
      running: sum(({ engine }) => engine.stats.running),
      waiting: sum(({ engine }) => engine.stats.waiting),
      blocksUsed: sum(({ engine }) => engine.stats.blocksUsed),
    });
  };
  const endStep = (core: Core, step: EngineStep): void => {
    const lastArrivalSeconds = requests[next - 1]?.arrivalSeconds ?? 0;
    core.busy.add(step.startSeconds, [core.stepEndSeconds], lastArrivalSeconds);
    core.engine.complete(step, (request) => {
      timingOf(request.id).tokenSeconds.push(core.stepEndSeconds);
      return false;
    });
    const { waiting, running } = core.engine.stats;
    core.counts = [waiting, running];
  };
  const reportCounts = (now: number): void =>
    coordinator.report(
      cores.map(({ counts }) => counts),
      now,
    );
  const stepTogether = (now: number, cost: LockstepCostModel): void => {
    for (const core of cores) if (core.step) endStep(core, core.step);
    reportCounts(now);
    for (const core of cores) takeIn(core, now);
    const loads = cores.flatMap(({ step }) => (step ? [step.load] : []));
    if (loads.length === 0) return;
    const endSeconds = now + cost.stepSeconds(loads);
    for (const core of cores) core.stepEndSeconds = endSeconds;
  };
  for (;;) {
    const arrival = requests[next]?.arrivalSeconds ?? Number.POSITIVE_INFINITY;
    const core = cores.reduce((a, b) => (endOf(b) < endOf(a) ? b : a));
    const now = Math.min(arrival, endOf(core));
    if (now === Number.POSITIVE_INFINITY) break;
    const published = coordinator.publishedUntil(now);
    if (published) server.receive(published);
    // All requests that arrive at one moment are accepted before a step is planned.
    for (; (requests[next]?.arrivalSeconds ?? Number.POSITIVE_INFINITY) <= now; next++) {
      const to = server.next();
      timings[next] = { ...(timings[next] as MutableTiming), engine: to };
      cores[to]?.inbox.push(next);
    }
    // A step ends, or a transfer that a request waits for.
    const isDue = endOf(core) === now;
    if (lockstep) {
      // A request that arrives while other cores compute waits for the step that all execute together.
      if (isDue || cores.every(({ step }) => step === undefined)) stepTogether(now, lockstep);
      continue;
    }
    if (isDue && core.step) {
      endStep(core, core.step);
      reportCounts(now);
    }
    if (isDue) takeIn(core, now);
    for (const idle of cores) if (idle.step === undefined && idle.inbox.length) takeIn(idle, now);
  }
  return {
    timings,
    samples,
    steps: sum(({ engine }) => engine.stats.steps),
    preemptions: sum(({ engine }) => engine.stats.preemptions),
    recomputedAfterPreemption: sum(({ engine }) => engine.stats.recomputedAfterPreemption),
    recomputedAfterEviction: sum(({ engine }) => engine.stats.recomputedAfterEviction ?? 0),
    utilization:
      sum(({ busy }) => busy.shareUntil(requests.at(-1)?.arrivalSeconds ?? 0)) / cores.length,
  };
}

function endOf({ step, stepEndSeconds, engine }: Core): number {
  return step === undefined ? engine.wakeSeconds : stepEndSeconds;
}

type BlockKeyOf = (blockIds: readonly number[], block: number) => BlockKey;

/**
 * Key of an engine's block from the ids of a trace, which are chained: the last id identifies the prefix.
 */
function blockKeys(traceTokens: number, engineTokens: number): BlockKeyOf {
  if (engineTokens % traceTokens === 0) {
    const ids = engineTokens / traceTokens;
    return (blockIds, block) => blockIds[(block + 1) * ids - 1] as number;
  }
  const parts = traceTokens / engineTokens;
  if (Number.isInteger(parts)) {
    return (blockIds, block) =>
      (blockIds[Math.floor(block / parts)] as number) * parts + (block % parts);
  }
  throw new InputError(
    `The trace has blocks of ${traceTokens} tokens and the engine of ${engineTokens}; one must be ` +
      'a multiple of the other.',
  );
}

function engineRequest(
  request: TraceRequest,
  index: number,
  keyOf: BlockKeyOf,
  blockSize: number,
): EngineRequest {
  const { promptTokens, outputTokens, blockIds, arrivalSeconds } = request;
  const promptBlocks = Math.floor(promptTokens / blockSize);
  return {
    id: String(index),
    promptTokens,
    maxTokens: outputTokens,
    priority: 0,
    arrivalSeconds,
    // A trace does not contain the outputs, so the blocks of an output are unique.
    blockKey: (block) => (block < promptBlocks ? keyOf(blockIds, block) : `${index}/${block}`),
  };
}
