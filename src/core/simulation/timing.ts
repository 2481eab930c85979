// Timestamps of a simulated request, and the report of a run in the terms of a benchmark.
import type { RequestRecord, Times } from '../stats/index.ts';
import type { FleetSimulationResult } from './fleet-result.ts';

/** Timestamps of one request on the virtual clock, in seconds. */
export interface Timing {
  /** Its place in the trace. */
  readonly index: number;
  readonly arrivalSeconds: number;
  /** When the engine accepted it, between two steps; vLLM's own timestamps count from there. */
  readonly queuedSeconds: number;
  /** Time of each output token, in order. */
  readonly tokenSeconds: Times;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** Index of the engine that served it. */
  readonly engine: number;
  /** Set if another engine computed the prompt. */
  readonly handoff?: TimedHandoff | undefined;
}

/** Times of a prompt that was transferred from one engine to another. */
export interface TimedHandoff {
  /** Index of the engine that computed it. */
  readonly prefillEngine: number;
  /** From the arrival to that engine's response. */
  readonly prefillSeconds: number;
  /** From there until the reader had blocks. */
  readonly waitSeconds: number;
  readonly transferSeconds: number;
  readonly bytes: number;
}

/**
 * The timing as a benchmark client records it.
 *
 * @param from Start of its latencies: the engine's queue, as in recordings of vLLM, or the arrival.
 */
export function recordOf(timing: Timing, from: 'queued' | 'arrival'): RequestRecord {
  const { arrivalSeconds, queuedSeconds, tokenSeconds, promptTokens, cachedTokens } = timing;
  return {
    scheduledSeconds: arrivalSeconds,
    sentSeconds: from === 'queued' ? queuedSeconds : arrivalSeconds,
    chunkSeconds: tokenSeconds,
    promptTokens,
    outputTokens: tokenSeconds.length,
    cachedTokens,
    engine: `engine-${timing.engine}`,
    error: undefined,
  };
}

/** Records of the requests with a response, in the order of their arrival. */
export function timingsOf(result: FleetSimulationResult): Timing[] {
  const timings: Timing[] = [];
  result.arrivalSeconds.forEach((arrivalSeconds, i) => {
    if (result.failed[i] === 1) return;
    timings.push({
      ...{ index: i, arrivalSeconds, queuedSeconds: arrivalSeconds },
      promptTokens: result.promptTokens[i] as number,
      tokenSeconds: result.tokenSeconds[i] ?? [],
      cachedTokens: result.cachedTokens[i] as number,
      engine: result.engineOf[i] as number,
      handoff: handoffOf(result, i),
    });
  });
  return timings;
}

/** Undefined for a request whose prompt was computed by the engine that responded. */
function handoffOf({ handoffs }: FleetSimulationResult, i: number): TimedHandoff | undefined {
  if (handoffs === undefined || Number.isNaN(handoffs.transferBytes[i] as number)) return undefined;
  return {
    prefillEngine: handoffs.prefillEngineOf[i] as number,
    prefillSeconds: handoffs.prefillSeconds[i] as number,
    waitSeconds: handoffs.waitSeconds[i] as number,
    transferSeconds: handoffs.transferSeconds[i] as number,
    bytes: handoffs.transferBytes[i] as number,
  };
}
