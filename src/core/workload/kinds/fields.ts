// The vocabulary of the workload file: the few kinds of value that its keys take.
import { z } from 'zod';

/** A count of at least one. */
export const positive = z.int().min(1);
/** Tokens of something that may be left out. */
export const tokensOrNone = z.int().min(0);
export const aboveZero = z.number().gt(0);
/** How long texts are, in tokens; a trace is read before the workload starts. */
export const lengths = z.union([
  positive,
  z
    .strictObject({ from: positive, to: positive })
    .refine(({ from, to }) => from <= to, { path: ['to'] }),
  z.strictObject({ mean: z.number().min(1), cv: z.number().min(0) }),
  z.strictObject({ trace: z.string().min(1), of: z.enum(['prompt', 'answer']) }),
]);

/** A length that is to be fitted to a trace. */
export interface TracedLengths {
  readonly trace: string;
  readonly of: 'prompt' | 'answer';
}

export function meaning<T extends z.ZodType>(schema: T, description: string): T {
  return schema.meta({ ...schema.meta(), description });
}
