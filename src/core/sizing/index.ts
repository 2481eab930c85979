// The size of an engine on its GPUs: KV blocks, context, configuration and step cost.
export { type EngineSpec, engineShape, type SchedulerSettings } from './engine-spec.ts';
export { type ServingPointSpec, sizeServingPoint } from './serving-point.ts';
export { dtypeNotes, gpusPerNode, type SizedEngine, sizeEngine } from './size-engine.ts';
export { adjustedStepCost, lockstepCost, profileHost } from './step-cost.ts';
export type { HostOverrides, StepCostSource } from './step-cost-source.ts';
