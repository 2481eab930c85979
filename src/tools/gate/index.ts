// The gate's tool: reads Prometheus, judges, reports.
export { gatePicture } from './gate-picture.ts';
export { gateJson, gateText } from './gate-report.ts';
export { type GateRun, runGate } from './run-gate.ts';
