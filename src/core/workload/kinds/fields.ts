// The types of values in the workload file.
import { z } from 'zod';

/** A count of at least one. */
export const positive = z.int().min(1);
/** A number of tokens that may be 0. */
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
