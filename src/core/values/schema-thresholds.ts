// Thresholds of the rules of a plan, as a values file or a plan's input may set them.
import { z } from 'zod';
import { ours } from './schema-keys.ts';

/**
 * Unset thresholds have the values of the skill that the rules come from.
 *
 * @see https://github.com/rohitg00/ai-engineering-from-scratch (phase 17, lesson 18,
 * skill-vllm-stack-decider.md): 1K tokens, 100 concurrent requests, 2 engines, 92 %. It does not
 * define "sustained"; five minutes is ours.
 */
export const defaultThresholds = {
  offloadPromptTokens: 1000,
  offloadConcurrency: 100,
  lmcacheEngines: 2,
  preemptionsPerMinute: 0,
  hbmUtilization: 0.92,
  hbmSustainedSeconds: 300,
} as const satisfies Record<string, number>;

/** All thresholds, as numbers. */
export type Thresholds = { readonly [Name in keyof typeof defaultThresholds]: number };

export const thresholdsSchema = z.strictObject({
  offloadPromptTokens: threshold(
    z.int().min(1),
    'Prompt length in tokens; shorter prompts at low concurrency get no offload; 1000 if unset.',
  ),
  offloadConcurrency: threshold(
    z.int().min(1),
    'Concurrent requests; fewer of them with short prompts get no offload; 100 if unset.',
  ),
  lmcacheEngines: threshold(z.int().min(1), 'Minimum number of engines for LMCache; 2 if unset.'),
  preemptionsPerMinute: threshold(
    z.number().min(0),
    'Preemptions per minute; more count as pressure on HBM; 0 if unset.',
  ),
  hbmUtilization: threshold(
    z.number().gt(0).max(1),
    'KV-cache utilization that counts as pressure, for the alert, the gate and the planned peak; 0.92 if unset.',
  ),
  hbmSustainedSeconds: threshold(
    z.int().min(1),
    'How long the pressure must last before an alert, in seconds; 300 if unset.',
  ),
} satisfies Record<keyof Thresholds, z.ZodType>);

/** The thresholds that are set. */
export type GivenThresholds = z.output<typeof thresholdsSchema>;

function threshold<T extends z.ZodType>(schema: T, description: string) {
  return ours(schema.optional(), description);
}
