// How a measured figure stands to a plan.
import type { PlanFigureName, PlannedFigureView } from '../../src/core/views/index.ts';

export interface PlanStanding {
  /** Beside the measured figure; empty without a plan, a measurement, or a difference. */
  readonly words: '' | 'as planned' | 'above' | 'below';
  /** Whether the difference is one to look into. */
  readonly isWorse: boolean;
}

const higherIsBetter: ReadonlySet<PlanFigureName> = new Set(['hitRate', 'engines']);

/** A figure within the interval of the plan is as planned. */
export function planStanding(
  name: PlanFigureName,
  planned: PlannedFigureView | null,
  measured: number | null,
): PlanStanding {
  if (planned === null || measured === null) return { words: '', isWorse: false };
  const words = measured > planned.high ? 'above' : measured < planned.low ? 'below' : 'as planned';
  // A throughput below the plan is what less load gives.
  const isWorse =
    name !== 'tokensPerSecond' && words === (higherIsBetter.has(name) ? 'below' : 'above');
  return { words, isWorse };
}
