// Makes a plan from an input: the rules decide, simulations give the figures.
import { interruptible } from '../../io/signals/index.ts';
import { type DecidedPlan, decidePlan, type PlanRequest } from './decide-plan.ts';
import { expectedImpact } from './impact.ts';
import type { Plan } from './plan.ts';
import { rejectedOptions } from './rejected-options.ts';
import { shortfalls } from './shortfalls.ts';
import { planWarnings } from './warnings.ts';

/** @throws {InputError} If the input is bad, a name unknown, or the model fits on no GPU. */
export async function makePlan(
  request: PlanRequest & { readonly onProgress?: ((share: number) => void) | undefined },
): Promise<Plan> {
  const decided = await decidePlan(request);
  const { onProgress } = request;
  const draft = {
    ...decided,
    impact: await interruptible(() => expectedImpact(impactOptions(decided, onProgress))),
  };
  return {
    ...draft,
    rejectedOptions: rejectedOptions(draft, decided.offloadGiBWhereUsed),
    shortfalls: shortfalls(draft),
    warnings: planWarnings(draft),
  };
}

function impactOptions(
  decided: DecidedPlan,
  onProgress: ((share: number) => void) | undefined,
): Parameters<typeof expectedImpact>[0] {
  return {
    runs: decided.runs,
    decision: decided.decision,
    offloadGiB: decided.offloadGiBWhereUsed,
    today: decided.today,
    alternativeRoutings: decided.routing.alternatives,
    triesDisaggregation: decided.disaggregation.advised,
    ...{ workingSet: decided.workingSet, spareGiB: decided.spareGiB },
    onProgress,
  };
}
