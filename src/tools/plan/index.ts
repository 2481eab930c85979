// Plans: decided by the rules, proved by simulation, written on one page.
import type { Plan } from './plan.ts';
import { valuesFile } from './values-file.ts';

export { decidePlan } from './decide-plan.ts';
export { makePlan } from './make-plan.ts';
export type { Plan } from './plan.ts';
export { planHtml } from './plan-html.ts';
export { planJson } from './plan-json.ts';
export { planMarkdown } from './plan-markdown.ts';
export { prometheusRules, prometheusRulesTest } from './prometheus-rules.ts';

/** The values file that carries a plan out. */
export function planValues(
  plan: Omit<Plan, 'impact' | 'rejectedOptions' | 'shortfalls' | 'warnings'>,
): string {
  return valuesFile({
    ...plan,
    policy: plan.routing.policy,
    loraAdapters: plan.facts.loraAdapters,
  });
}
