// Workloads: generated traffic.
export { type ArrivalProcess, arrivalTimes } from './arrivals.ts';
export type { ConversationRequest } from './conversations.ts';
export {
  type Dataset,
  type DatasetPrompt,
  type PrefixRepetitionDataset,
  prefixRepetitionDataset,
  type RandomDataset,
  randomDataset,
} from './datasets.ts';
export type { TracedLengths } from './kinds/fields.ts';
export type { Clients } from './kinds/kind.ts';
export { drawLength, fitLengths, type Lengths } from './lengths.ts';
export { type PromptNode, PromptTree } from './prompt-tree.ts';
export { type RampUp, type SendRate, sendTimes } from './send-times.ts';
export { startWorkload, type Workload, type WorkloadRun, workloadKinds } from './workload.ts';
export {
  arrivalFields,
  commonFields,
  parseWorkload,
} from './workload-file.ts';
export { type LengthStats, WorkloadMeter, type WorkloadStats } from './workload-stats.ts';
