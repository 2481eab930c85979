// CPU time, memory and files of this process, for its metrics page.

export { memoryThere } from './memory-there.ts';
export { declareProcessMetrics } from './process-metrics.ts';
