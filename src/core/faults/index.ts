// Fault runs: fleets under faults on a virtual clock, each replayed by its seed, with invariants that are
// checked after every event.
export { type FaultName, type FaultOptions, faultNames } from './fault-options.ts';
export { FaultRunError, type FaultRunResult, playFaults } from './fault-run.ts';
export {
  chaosFaultSettings,
  type FaultSettings,
  faultSettings,
  longFaultSettings,
} from './fault-settings.ts';
