// Engines and fleets on a virtual clock.

export { BlockCache } from './block-cache.ts';
export { type ClosedLoopOptions, type ClosedLoopResult, closedLoop } from './closed-loop.ts';
export { CoreAssignment, type CoreCounts, CountCoordinator } from './core-assignment.ts';
export type { Disaggregation, EngineRole } from './disaggregation.ts';
export { simulateFleet } from './fleet.ts';
export { checkEngineCount, checkRouterCount } from './fleet-bounds.ts';
export { type FleetOptions, fleetOf, traceBlockTokens, withSessions } from './fleet-engines.ts';
export {
  type EngineFailure,
  type FleetSimulationOptions,
  type SimulatedRequest,
  simulatedAdmission,
} from './fleet-options.ts';
export type { FleetEngineResult, FleetSimulationResult } from './fleet-result.ts';
export type { FleetSample } from './fleet-series.ts';
export type { HandoffResults } from './handoff-log.ts';
export type { PolicyChoice } from './policy-choice.ts';
export { type NamedPolicy, policyNamed, simulatedPolicyNames } from './policy-named.ts';
export {
  type HitPolicy,
  hitPolicies,
  type PrefixHitOptions,
  type PrefixHits,
  prefixHits,
} from './prefix-hits.ts';
export { type RunOptions, type RunResult, type RunSample, replayRun } from './run-replay.ts';
export type { ScalingResult, SimulatedScaling } from './scaling-options.ts';
export type { SimulatedEngine } from './simulated-engine.ts';
export { backlogGrowth, overloadedGrowth } from './stability.ts';
export { recordOf, type TimedHandoff, type Timing, timingsOf } from './timing.ts';
