// Makes a plan from an input: the rules decide, simulations give the figures.
import { interruptible } from '../../io/signals/index.ts';
import { type DecidedPlan, decidePlan, type PlanRequest } from './decide-plan.ts';
import { expectedImpact } from './impact.ts';
import type { Plan } from './plan.ts';
import { secondsPerOutputToken } from './plan-traffic.ts';
import { rejectedOptions } from './rejected-options.ts';
import { shortfalls } from './shortfalls.ts';
import { planWarnings } from './warnings.ts';

/** @throws {InputError} If the input is bad, a name unknown, or the model fits on no GPU. */
export async function makePlan(
  request: PlanRequest & { readonly onProgress?: ((share: number) => void) | undefined },
): Promise<Plan> {
  const decided = await decidePlan(request);
  const { seed, onProgress } = request;
  const draft = {
    ...decided,
    impact: interruptible(() => expectedImpact(impactOptions(decided, { seed, onProgress }))),
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
  run: { readonly seed: number; readonly onProgress: ((share: number) => void) | undefined },
): Parameters<typeof expectedImpact>[0] {
  const { layout, engines, routing, workload, input, requests } = decided;
  return {
    base: {
      ...{
        layout,
        engines,
        policy: routing.simulated,
        workload,
        slo: input.slo,
        requests,
        // The engines of the values file publish KV events.
        kvEvents: decided.decision.stack !== 'single-engine' && engines > 1,
      },
      clients: workload.concurrency,
      e2eSeconds: workload.outputTokens.mean * secondsPerOutputToken,
    },
    decision: decided.decision,
    offloadGiB: decided.offloadGiBWhereUsed,
    today: decided.today,
    alternativeRoutings: routing.alternatives,
    triesDisaggregation: decided.disaggregation.advised,
    ...{ workingSet: decided.workingSet, spareGiB: decided.spareGiB },
    ...run,
  };
}
