// The numbers that the rules compare with. Each may be overridden; the plan then says so.
import { z } from 'zod';

/**
 * @see https://github.com/rohitg00/ai-engineering-from-scratch (phase 17, lesson 18,
 *   skill-vllm-stack-decider.md): 1K tokens, 100 concurrent requests, 2 engines, 92 %. It leaves
 *   "sustained" open; five minutes is ours.
 */
export const thresholdsSchema = z.strictObject({
  offloadPromptTokens: z.int().min(1).default(1000).meta({
    description: 'Prompts below this, with a low concurrency too, get no offload. Tokens.',
  }),
  offloadConcurrency: z.int().min(1).default(100).meta({
    description: 'Concurrency below this, with short prompts too, gets no offload. Requests.',
  }),
  lmcacheEngines: z.int().min(1).default(2).meta({
    description: 'LMCache needs at least so many engines.',
  }),
  preemptionsPerMinute: z.number().min(0).default(0).meta({
    description: 'More preemptions than this count as pressure on HBM.',
  }),
  hbmUtilization: z.number().gt(0).max(1).default(0.92).meta({
    description: 'KV-cache use that is pressure: the alert, the gate, and the planned peak.',
  }),
  hbmSustainedSeconds: z.int().min(1).default(300).meta({
    description: 'How long it must last for an alert. Seconds.',
  }),
});

export type Thresholds = z.output<typeof thresholdsSchema>;

/** The thresholds of the skill. */
export const defaultThresholds: Thresholds = thresholdsSchema.parse({});

/** The overridden ones, for the plan's assumptions, e.g. `offloadPromptTokens 500 instead of 1000`. */
export function overriddenThresholds(thresholds: Thresholds): readonly string[] {
  const names = Object.keys(defaultThresholds) as (keyof Thresholds)[];
  return names
    .filter((name) => thresholds[name] !== defaultThresholds[name])
    .map((name) => `${name} ${thresholds[name]} instead of ${defaultThresholds[name]}`);
}
