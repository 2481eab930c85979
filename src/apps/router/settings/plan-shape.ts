// The parts of a plan's JSON that the page shows.
import { z } from 'zod';

/** A latency that no simulation had is null in JSON. */
const estimate = z.object({
  mean: z.number().nullable(),
  low: z.number().nullable(),
  high: z.number().nullable(),
});

export const planShape = z.object({
  sizing: z.object({ engines: z.int().min(0) }),
  impact: z.object({
    planned: z.object({
      ...{ ttftMs: estimate, tpotMs: estimate, throughput: estimate },
      ...{ hitRate: estimate, kvUseP99: estimate },
    }),
  }),
  gate: z.object({ max: z.number().gt(0).max(1) }),
});

export type PlanEstimate = z.output<typeof estimate>;
