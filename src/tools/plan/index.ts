// Plans: decided by rules, simulated, and printed on one page.
import type { Plan } from './plan.ts';
import { sharesPrefixes } from './plan-traffic.ts';
import { valuesFile } from './values-file.ts';

export { decidePlan } from './decide-plan.ts';
export { makePlan } from './make-plan.ts';
export type { Plan } from './plan.ts';
export { planHtml } from './plan-html.ts';
export { planJson } from './plan-json.ts';
export { planMarkdown } from './plan-markdown.ts';
export { planTerminal } from './plan-terminal.ts';
export { prometheusRules } from './prometheus-rules.ts';
export { planSkill } from './skill.ts';

/** Returns the values file that implements a plan. */
export function planValues(
  plan: Omit<Plan, 'impact' | 'rejectedOptions' | 'shortfalls' | 'warnings'>,
): string {
  return valuesFile({
    ...plan,
    policy: plan.routing.policy,
    sharesPrefixes: sharesPrefixes(plan.workload),
    loraAdapters: plan.facts.loraAdapters,
  });
}
