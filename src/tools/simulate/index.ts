// Simulations in virtual time: a recorded run, a fleet, cache hits.

export {
  type FleetRun,
  type FleetRunOptions,
  fleetRunJson,
  fleetRunTable,
  simulateFleetRun,
} from './fleet.ts';
export { type HitsOptions, type HitsRow, hitsJson, hitsTable, simulateHits } from './hits.ts';
export {
  type SimulatedRun,
  type SimulatedRunOptions,
  simulatedRunJson,
  simulatedRunTable,
  simulateRun,
} from './run.ts';
