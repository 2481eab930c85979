// A fleet of the catalogue in virtual time: its run and its report.
export {
  type FleetRun,
  type FleetRunOptions,
  fleetRunJson,
  fleetRunTable,
  simulateFleetRun,
} from './fleet.ts';
