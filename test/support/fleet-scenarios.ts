// Traffic for comparing policies, in the benchmark and in tests.
import { type SimulatedRequest, traceBlockTokens } from '../../src/core/simulation/index.ts';

/**
 * A hot prefix: `requests` questions of 256 tokens about one new document of `documentTokens`, all
 * within `seconds`, in the middle of other traffic.
 */
export function withHotPrefix(
  traffic: readonly SimulatedRequest[],
  burst: {
    readonly requests: number;
    readonly documentTokens: number;
    readonly atSeconds: number;
    readonly seconds: number;
  },
): SimulatedRequest[] {
  const firstId = 1 + traffic.reduce((most, { blockIds }) => Math.max(most, ...blockIds), 0);
  const documentBlocks = burst.documentTokens / traceBlockTokens;
  const document = Array.from({ length: documentBlocks }, (_, i) => firstId + i);
  const questions = Array.from({ length: burst.requests }, (_, i) => ({
    arrivalSeconds: burst.atSeconds + (burst.seconds * i) / burst.requests,
    promptTokens: burst.documentTokens + 256,
    outputTokens: 200,
    blockIds: [...document, firstId + documentBlocks + i],
    session: `hot-${i}`,
  }));
  return [...traffic, ...questions].sort((a, b) => a.arrivalSeconds - b.arrivalSeconds);
}
