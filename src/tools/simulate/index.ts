// Questions answered in virtual time: a recorded run, cache hits.
export { type HitsOptions, type HitsRow, hitsJson, hitsTable, simulateHits } from './hits.ts';
export { latencyTable } from './latency-table.ts';
export { perRequestLines } from './per-request.ts';
export {
  type SimulatedRun,
  type SimulatedRunOptions,
  simulatedRunJson,
  simulateRun,
} from './run.ts';
