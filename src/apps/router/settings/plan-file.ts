// The plan of the stack for the page: a file that "spillway plan --json" has written.
import { readFile } from 'node:fs/promises';
import { InputError } from '../../../core/base/index.ts';
import type { PlannedFigureView, PlannedView } from '../../../core/views/index.ts';
import type { PlanEstimate } from './plan-shape.ts';

/** What the page shows of a plan. */
export interface PlanFile {
  readonly planned: PlannedView;
  /** Highest P99 of the KV cache utilization that the plan's gate passes. */
  readonly gateMax: number;
}

/** @throws {InputError} If the file cannot be read, or is no plan. */
export async function readPlanFile(path: string): Promise<PlanFile> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new InputError(`--plan ${path} cannot be read: ${(error as Error).message}.`, {
      cause: error,
    });
  }
  // Loaded only for a plan: a router without one starts without the schema library.
  const { planShape } = await import('./plan-shape.ts');
  const plan = planShape.safeParse(parsed);
  if (!plan.success) {
    const [issue] = plan.error.issues;
    const where = issue?.path.join('.') || 'the document';
    throw new InputError(
      `--plan ${path} is no plan: ${where}: ${issue?.message}. Write it with "spillway plan --json".`,
    );
  }
  const { sizing, impact, gate } = plan.data;
  const { planned } = impact;
  const engines = sizing.engines;
  return {
    planned: {
      ttftSeconds: figureOf(planned.ttftMs, 1e-3),
      tpotSeconds: figureOf(planned.tpotMs, 1e-3),
      tokensPerSecond: figureOf(planned.throughput, 1),
      hitRate: figureOf(planned.hitRate, 1),
      kvUsageP99: figureOf(planned.kvUseP99, 1),
      engines: { mean: engines, low: engines, high: engines },
    },
    gateMax: gate.max,
  };
}

function figureOf({ mean, low, high }: PlanEstimate, factor: number): PlannedFigureView | null {
  if (mean === null || low === null || high === null) return null;
  return { mean: mean * factor, low: low * factor, high: high * factor };
}
