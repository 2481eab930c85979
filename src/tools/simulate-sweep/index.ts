// One simulation for each combination of settings and seed, and from where on an offload pays.
export { type BreakEven, breakEvens } from './break-even.ts';
export { type SweepOptions, type SweepRow, simulateSweep } from './sweep.ts';
export { parseAxis, type SweepAxis } from './sweep-axis.ts';
export { sweepJson, sweepPage, sweepTable } from './sweep-report.ts';
