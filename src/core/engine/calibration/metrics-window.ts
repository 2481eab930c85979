// Converts a window of a live engine's /metrics to measurements: how long its steps took, and what they
// computed, between one reading and the next.
import type { StepLoad } from '../contract.ts';
import type { Measurement } from './engine-constants.ts';

/** One reading of /metrics; counters since the engine started. */
export interface MetricsReading {
  /** Steps that computed something, and the tokens in them (`vllm:iteration_tokens_total`). */
  readonly steps: number;
  /** Gaps between a request's tokens: their number and sum (`vllm:inter_token_latency_seconds`). */
  readonly gaps: number;
  readonly gapSeconds: number;
  /** Prompt tokens, including those found in the prefix cache. */
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly firstTokens: number;
  /** Tokens whose KV is held by requests: usage times blocks times block size. */
  readonly heldTokens: number;
}

/** Minimum gaps and steps between two readings. */
const [gapsMin, stepsMin] = [16, 4];
/** Neighbouring readings are similar, so this many are held out together. */
const foldReadings = 4;

/**
 * Between two readings the mean gap between a request's tokens is the mean step time, since each step
 * gives each running request one token. The load is the mean of the running requests; steps with prefills
 * are distinguished by the first tokens and by the step's budget.
 */
export function metricsMeasurements(
  readings: readonly MetricsReading[],
  maxNumBatchedTokens: number,
): Measurement[] {
  return readings.slice(1).flatMap((after, i) => {
    const before = readings[i] as MetricsReading;
    const delta = (key: keyof MetricsReading) => after[key] - before[key];
    const [steps, gaps] = [delta('steps'), delta('gaps')];
    if (gaps < gapsMin || steps < stepsMin) return [];
    const computed = Math.max(0, delta('promptTokens') - delta('cachedTokens'));
    const prefills = Math.max(delta('firstTokens'), computed / maxNumBatchedTokens);
    const prefillSteps = computed > 0 ? Math.min(steps, Math.max(1, prefills)) : 0;
    const sequences = gaps / steps;
    const decode = decodeLoad(sequences, (before.heldTokens + after.heldTokens) / 2);
    const mixed = prefillSteps > 0 ? withPrefill(decode, computed / prefillSteps) : decode;
    const share = prefillSteps / steps;
    return {
      name: `${sequences.toFixed(1)} sequences, ${Math.round(computed)} prompt tokens`,
      fold: String(Math.floor(i / foldReadings)),
      seconds: delta('gapSeconds') / gaps,
      predict: (cost) => (1 - share) * cost.stepSeconds(decode) + share * cost.stepSeconds(mixed),
    };
  });
}

function decodeLoad(sequences: number, contextTokens: number): StepLoad {
  return {
    ...{ sequences, tokens: sequences, decodeSequences: sequences },
    decodeContextTokens: contextTokens,
    ...{ prefillTokens: 0, prefillTokenContext: 0, prefillTokensSquared: 0 },
  };
}

function withPrefill(decode: StepLoad, tokens: number): StepLoad {
  return {
    ...decode,
    sequences: decode.sequences + 1,
    tokens: decode.tokens + tokens,
    prefillTokens: tokens,
    prefillTokensSquared: tokens * tokens,
  };
}
