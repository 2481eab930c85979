// The plan of the stack for the page: a file that "spillway plan --json" has written.
import { readFile } from 'node:fs/promises';
import { InputError } from '../../../core/base/index.ts';
import type { PlannedFigureView, PlannedView } from '../../../core/views/index.ts';
import { fileProblem } from '../../../io/files/index.ts';
import type { PlanEstimate } from './plan-shape.ts';

/** What the page shows of a plan. */
export interface PlanFile {
  readonly planned: PlannedView;
  /** Highest P99 of the KV cache utilization that the plan's gate passes. */
  readonly gateMax: number;
}

const remedy = 'Write it with "spillway plan --json".';

/** @throws {InputError} If the file cannot be read, or is no plan. */
export async function readPlanFile(path: string): Promise<PlanFile> {
  let text: string;
  try {
    // Windows' programs begin texts with this mark.
    text = (await readFile(path, 'utf8')).replace(/^\ufeff/, '');
  } catch (cause) {
    throw new InputError(`--plan ${path}: ${fileProblem(cause)}.`, { cause });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new InputError(`--plan ${path} is not JSON: ${reason}. ${remedy}`, { cause });
  }
  // Loaded only for a plan: a router without one starts without the schema library.
  const { planShape } = await import('./plan-shape.ts');
  const plan = planShape.safeParse(parsed);
  if (!plan.success) {
    const [issue] = plan.error.issues;
    const where = issue?.path.join('.') || 'the document';
    throw new InputError(`--plan ${path} is no plan: ${where}: ${issue?.message}. ${remedy}`);
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
