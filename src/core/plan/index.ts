// Plans: the schema of the input and the rules that decide. Layouts are simulated in tools/plan.
export {
  chartCovers,
  chartLacks,
  chartLacksText,
  chartNames,
  chartsWithAll,
} from './chart-coverage.ts';
export { contradictions } from './contradictions.ts';
export { type Decision, decide } from './decide.ts';
export type { PlanFacts } from './facts.ts';
export {
  type PlanInput,
  type PlanInputKey,
  type PlanRouting,
  planInputJsonSchema,
  planInputKeys,
  planInputSchema,
  planRoutings,
  routingOfLlmd,
} from './input.ts';
export {
  type OffloadKind,
  offloadKinds,
  type PrefixReuse,
  prefixReuseKinds,
  type StackKind,
  stackKinds,
} from './kinds.ts';
export {
  breakEvenSets,
  type MeasuredOffload,
  measuredOffload,
  modelledOffload,
} from './measured-offload.ts';
export { offloadChoices, type Refusal, type RuleId, rules } from './rules.ts';
export { type StackNeed, stackNeeds } from './stack-needs.ts';
export {
  type OverriddenThreshold,
  resolveThresholds,
  type ThresholdSource,
} from './thresholds.ts';
