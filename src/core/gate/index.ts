// The gate: HBM utilization P99 over a window.
export { type Gap, intervalOf } from './gaps.ts';
export {
  type EngineSeries,
  type EngineVerdict,
  type GateVerdict,
  gateMaxDefault,
  judge,
  percentText,
  type Verdict,
} from './judge.ts';
export { sparkline, type TrendPoint } from './trend.ts';
