// Questions answered in virtual time: a recorded run, a fleet, serving points, cache hits.

export { type BreakEven, breakEvens } from './break-even.ts';
export {
  type FleetRun,
  type FleetRunOptions,
  fleetRunJson,
  fleetRunTable,
  simulateFleetRun,
} from './fleet.ts';
export { type HitsOptions, type HitsRow, hitsJson, hitsTable, simulateHits } from './hits.ts';
export { perRequestLines } from './per-request.ts';
export { intervalsOf, kindOf, pointIntervals, pointJson } from './point-answer.ts';
export { gpuOf, precisionOf, shapeOf } from './point-engine.ts';
export { type PointPrediction, predictPoint } from './points.ts';
export { type PointRow, readAllPoints, readPoints } from './points-csv.ts';
export {
  type SimulatedRun,
  type SimulatedRunOptions,
  simulatedRunJson,
  simulatedRunTable,
  simulateRun,
} from './run.ts';
export type { Outage } from './shared-stores.ts';
export { type StackRun, type StackRunOptions, simulateStack } from './stack.ts';
export { stackPage } from './stack-page.ts';
export { stackJson, stackTable } from './stack-report.ts';
export type { OffloadChoice } from './stack-tiers.ts';
export { type SweepOptions, type SweepRow, simulateSweep } from './sweep.ts';
export { parseAxis, type SweepAxis } from './sweep-axis.ts';
export { sweepJson, sweepPage, sweepTable } from './sweep-report.ts';
