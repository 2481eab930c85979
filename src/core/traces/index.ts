// Traces of real traffic: their formats, and their requests as a source.
export { type BlockFields, mooncakeFields, type TimeUnit } from './blocks-jsonl.ts';
export {
  contentsOfColumns,
  contentsOfRow,
  expectedTexts,
  type FileContents,
  nameOfContents,
  type TextShape,
  type TraceFormat,
} from './file-fields.ts';
export { closedLoop, type RequestSource, tracedRequests, type WorkloadRequest } from './source.ts';
export { sliceTrace, type Trace, type TraceRequest, type TraceSlice } from './trace.ts';
export { parseTrace, TraceReader, type TraceReaderOptions } from './trace-reader.ts';
