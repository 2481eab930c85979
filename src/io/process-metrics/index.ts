// CPU time, memory and files of this process, for its metrics page.
export { declareProcessMetrics } from './process-metrics.ts';
