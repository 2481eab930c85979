// Plans: the schema of the input and the rules that decide. Layouts are simulated in tools/plan.
export { chartCovers, chartLacks, type StackNeed, stackNeeds } from './chart-coverage.ts';
export { contradictions } from './contradictions.ts';
export { type Decision, decide } from './decide.ts';
export type { PlanFacts } from './facts.ts';
export {
  type OffloadKind,
  offloadKinds,
  type PlanInput,
  type PlanInputKey,
  type PlanRouting,
  type PrefixReuse,
  planInputJsonSchema,
  planInputKeys,
  planInputSchema,
  planRoutings,
  prefixReuseKinds,
  routingOfLlmd,
  type StackKind,
  stackKinds,
} from './input.ts';
export { offloadChoices, type Refusal, type RuleId, rules } from './rules.ts';
export {
  type OverriddenThreshold,
  resolveThresholds,
  type ThresholdSource,
} from './thresholds.ts';
