// Traces of real traffic: their formats, their requests as a source, and prompts rebuilt from block ids.
export {
  type BlockWriter,
  chooseWords,
  createBlockWriter,
  type PromptWord,
} from './prompt.ts';
export { closedLoop, type RequestSource, tracedRequests, type WorkloadRequest } from './source.ts';
export { sliceTrace, type Trace, type TraceRequest, type TraceSlice } from './trace.ts';
export { parseTrace, type TraceFormat, TraceReader } from './trace-reader.ts';
