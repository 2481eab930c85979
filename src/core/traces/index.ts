// Traces of real traffic: their formats, their requests as a source, and prompts rebuilt from block ids.
export { type BlockFields, mooncakeFields } from './blocks-jsonl.ts';
export {
  contentsOfColumns,
  contentsOfRow,
  expectedTexts,
  type FileContents,
  nameOfContents,
  type TextShape,
  type TraceFormat,
} from './file-fields.ts';
export {
  type BlockWriter,
  chooseWords,
  createBlockWriter,
  type PromptWord,
} from './prompt.ts';
export { closedLoop, type RequestSource, tracedRequests, type WorkloadRequest } from './source.ts';
export { type FoundRow, type TextMessage, type TextRow, textRows } from './text-rows.ts';
export type { TimeUnit } from './time-unit.ts';
export { sliceTrace, type Trace, type TraceRequest, type TraceSlice } from './trace.ts';
export { parseTrace, TraceReader, type TraceReaderOptions } from './trace-reader.ts';
