// Feeds a recorded run to the engine model, on a virtual clock.
import {
  type EngineConfig,
  EngineModel,
  type EngineRequest,
  type StepCostModel,
} from '../../src/core/engine/index.ts';
import type { RecordedRequest } from './run.ts';

/** When one request was queued, and got its first and last token. */
export interface Timing {
  readonly queuedSeconds: number;
  readonly firstTokenSeconds: number;
  readonly lastTokenSeconds: number;
  readonly outputTokens: number;
}

export interface ReplayResult {
  /** Aligned with the requests. */
  readonly timings: readonly Timing[];
  readonly steps: number;
  readonly preemptions: number;
}

/**
 * Runs the requests through the model with their arrivals and lengths. Like vLLM's engine process,
 * it takes new requests in between steps, and the time of a request counts from there.
 */
export function replayRun(
  requests: readonly RecordedRequest[],
  config: EngineConfig,
  cost: StepCostModel,
): ReplayResult {
  const engine = new EngineModel({ config, cost });
  const timings = requests.map(({ outputTokens }) => ({
    queuedSeconds: NaN,
    firstTokenSeconds: NaN,
    lastTokenSeconds: NaN,
    outputTokens,
  }));
  const arrivals = requests
    .map((request, index) => ({ request, index }))
    .sort((a, b) => a.request.arrivalSeconds - b.request.arrivalSeconds);
  let next = 0;
  let now = 0;
  for (;;) {
    for (;;) {
      const arrival = arrivals[next];
      if (arrival === undefined || arrival.request.arrivalSeconds > now) break;
      engine.add(engineRequest(arrival.request, arrival.index), now);
      timing(timings, arrival.index).queuedSeconds = now;
      next++;
    }
    const step = engine.schedule(now);
    if (step === undefined) {
      const arrival = arrivals[next];
      if (arrival === undefined) break;
      now = arrival.request.arrivalSeconds;
      continue;
    }
    now = step.endSeconds;
    engine.complete(step, ({ id }, outputIndex) => {
      const entry = timing(timings, Number(id));
      if (outputIndex === 0) entry.firstTokenSeconds = now;
      entry.lastTokenSeconds = now;
      return false;
    });
  }
  const { steps, preemptions } = engine.stats;
  return { timings, steps, preemptions };
}

function engineRequest(recorded: RecordedRequest, index: number): EngineRequest {
  const { promptTokens, outputTokens, hashIds, arrivalSeconds } = recorded;
  const promptBlocks = Math.floor(promptTokens / 16);
  return {
    id: String(index),
    promptTokens,
    maxTokens: outputTokens,
    priority: 0,
    arrivalSeconds,
    // The recording does not say what was answered, so an answer's blocks are nobody else's.
    blockKey: (block) => (block < promptBlocks ? (hashIds[block] as number) : `${index}/${block}`),
  };
}

function timing<T>(timings: readonly T[], index: number): T {
  return timings[index] as T;
}
