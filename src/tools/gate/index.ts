// Reads the KV-cache use of a fleet from Prometheus, judges it, and reports the verdict.
export { gateChart } from './gate-chart.ts';
export { gateJson, gateText } from './gate-report.ts';
export { type GateRun, runGate } from './run-gate.ts';
