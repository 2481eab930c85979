// A window of a live engine's /metrics as measurements: how long its steps took, and what was in
// them, between one reading and the next.
import type { StepLoad } from '../contract.ts';
import type { Measurement } from './engine-constants.ts';

/** One reading of /metrics; counters since the engine started. */
export interface MetricsReading {
  /** Steps that computed something, and the tokens in them (`vllm:iteration_tokens_total`). */
  readonly steps: number;
  /** Gaps between a request's tokens, their number and sum (`vllm:inter_token_latency_seconds`). */
  readonly gaps: number;
  readonly gapSeconds: number;
  /** Prompt tokens, those found in the prefix cache included. */
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly firstTokens: number;
  /** Tokens whose KV is held by requests: usage times blocks times block size. */
  readonly heldTokens: number;
}

/** Fewer gaps or steps than these between two readings say too little. */
const [gapsMin, stepsMin] = [16, 4];
/** Measurements of neighbouring readings are alike, so that they are left out together. */
const foldReadings = 4;

/**
 * Between two readings the mean gap between a request's tokens is the mean step, since each step
 * gives each running request a token. Its load is the mean of what was running; steps with prefills
 * are told apart by the first tokens and by the step's budget.
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
