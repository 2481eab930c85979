// Workloads: traces of real traffic, and prompts rebuilt from their block ids.
export {
  type BlockWriter,
  chooseWords,
  createBlockWriter,
  type PromptWord,
} from './prompt.ts';
export { sliceTrace, type Trace, type TraceRequest, type TraceSlice } from './trace.ts';
export { parseTrace, type TraceFormat, TraceReader } from './trace-reader.ts';
