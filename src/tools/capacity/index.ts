// Measures what a server can carry: sweeps over loads, and the highest rate within a service level.
export { searchJson, searchTable, sweepJson, sweepTable } from './capacity-report.ts';
export { type LoadAxis, type LoadPoint, loadPoint, type RunAt } from './load-point.ts';
export { runRateSearch, type SearchOutcome } from './run-rate-search.ts';
export { runSaturation, runSweep, type SweepOutcome } from './run-sweep.ts';
