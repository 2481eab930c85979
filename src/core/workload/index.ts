// Workloads: traces of real traffic, generated traffic, and prompts rebuilt from their block ids.
export { type ArrivalProcess, arrivalTimes } from './arrivals.ts';
export type { TracedLengths } from './kinds/fields.ts';
export type { Clients } from './kinds/kind.ts';
export { drawLength, fitLengths, type Lengths } from './lengths.ts';
export {
  type BlockWriter,
  chooseWords,
  createBlockWriter,
  type PromptWord,
} from './prompt.ts';
export { PromptTree } from './prompt-tree.ts';
export { type RequestSource, tracedRequests, type WorkloadRequest } from './source.ts';
export { sliceTrace, type Trace, type TraceRequest, type TraceSlice } from './trace.ts';
export { parseTrace, type TraceFormat, TraceReader } from './trace-reader.ts';
export { startWorkload, type Workload, type WorkloadRun, workloadKinds } from './workload.ts';
export {
  arrivalFields,
  commonFields,
  parseWorkload,
} from './workload-file.ts';
export { type LengthStats, WorkloadMeter, type WorkloadStats } from './workload-stats.ts';
