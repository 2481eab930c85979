// The numbers that the rules of a plan compare with, as a values file or a plan's input may set them.
import { z } from 'zod';
import { ours } from './schema-keys.ts';

/**
 * What is left out is as in the skill that the rules come from.
 *
 * @see https://github.com/rohitg00/ai-engineering-from-scratch (phase 17, lesson 18,
 *   skill-vllm-stack-decider.md): 1K tokens, 100 concurrent requests, 2 engines, 92 %. It leaves
 *   "sustained" open; five minutes is ours.
 */
export const defaultThresholds = {
  offloadPromptTokens: 1000,
  offloadConcurrency: 100,
  lmcacheEngines: 2,
  preemptionsPerMinute: 0,
  hbmUtilization: 0.92,
  hbmSustainedSeconds: 300,
} as const satisfies Record<string, number>;

/** All of them, as numbers. */
export type Thresholds = { readonly [Name in keyof typeof defaultThresholds]: number };

export const thresholdsSchema = z.strictObject({
  offloadPromptTokens: threshold(
    z.int().min(1),
    'Prompts below this, with a low concurrency too, get no offload; 1000 if unset. Tokens.',
  ),
  offloadConcurrency: threshold(
    z.int().min(1),
    'Concurrency below this, with short prompts too, gets no offload; 100 if unset. Requests.',
  ),
  lmcacheEngines: threshold(z.int().min(1), 'LMCache needs at least so many engines; 2 if unset.'),
  preemptionsPerMinute: threshold(
    z.number().min(0),
    'More preemptions than this count as pressure on HBM; 0 if unset.',
  ),
  hbmUtilization: threshold(
    z.number().gt(0).max(1),
    'KV-cache use that is pressure: the alert, the gate, and the planned peak; 0.92 if unset.',
  ),
  hbmSustainedSeconds: threshold(
    z.int().min(1),
    'How long it must last for an alert; 300 if unset. Seconds.',
  ),
} satisfies Record<keyof Thresholds, z.ZodType>);

/** Those that somebody has set. */
export type GivenThresholds = z.output<typeof thresholdsSchema>;

function threshold<T extends z.ZodType>(schema: T, description: string) {
  return ours(schema.optional(), description);
}
