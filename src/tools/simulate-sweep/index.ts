// Runs one simulation per combination of settings and seed, and finds the break-even of an offload.
export { type BreakEven, breakEvens } from './break-even.ts';
export { type SweepOptions, type SweepOutcome, type SweepRow, simulateSweep } from './sweep.ts';
export { parseAxis, type SweepAxis } from './sweep-axis.ts';
export { sweepJson, sweepPage, sweepTable } from './sweep-report.ts';
