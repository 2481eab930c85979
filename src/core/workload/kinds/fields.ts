// The types of values in the workload file.
import { z } from 'zod';

/** A count of at least one. */
export const positive = z.int().min(1);
/** A number of tokens that may be 0. */
/** Field of kinds whose system prompts may belong to LoRA adapters. */
export const adaptersOrNone = z
  .int()
  .min(0)
  .default(0)
  .describe(
    'Number of LoRA adapters, which share no KV cache: system prompt n belongs to adapter n modulo this number; 0: none.',
  );
export const tokensOrNone = z.int().min(0);
export const aboveZero = z.number().gt(0);
/** A distribution of lengths in tokens; a trace is read before the workload starts. */
export const lengths = z.union([
  positive,
  z
    .strictObject({ from: positive, to: positive })
    .refine(({ from, to }) => from <= to, { path: ['to'] }),
  z.strictObject({ mean: z.number().min(1), cv: z.number().min(0) }),
  z.strictObject({ trace: z.string().min(1), of: z.enum(['prompt', 'answer']) }),
]);

/** Lengths that are to be fitted to a trace. */
export interface TracedLengths {
  readonly trace: string;
  readonly of: 'prompt' | 'answer';
}

export function meaning<T extends z.ZodType>(schema: T, description: string): T {
  return schema.meta({ ...schema.meta(), description });
}

/** Returns the adapter of a system prompt, which are counted from 0; vLLM numbers adapters from 1. */
export function adapterOf(systemPrompt: number, adapters: number): number | undefined {
  return adapters === 0 ? undefined : (systemPrompt % adapters) + 1;
}
