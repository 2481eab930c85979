// Measures what a server can carry: sweeps over loads, the highest rate within a service level, and soaks.
export { pointJson, searchJson, searchTable, sweepJson, sweepTable } from './capacity-report.ts';
export { type LoadAxis, type LoadPoint, loadPoint, type RunAt } from './load-point.ts';
export { runRateSearch, type SearchOutcome } from './run-rate-search.ts';
export { runSoak, type SoakOutcome } from './run-soak.ts';
export { runSaturation, runSweep, type SweepOutcome } from './run-sweep.ts';
export { serverMemory } from './server-memory.ts';
export { soakJson, soakTable, windowJson } from './soak-report.ts';
export { driftMaxDefault } from './soak-verdict.ts';
