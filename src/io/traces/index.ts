// Loads trace files from disk.
export { type LoadTraceOptions, loadTrace, noteOnce } from './load-trace.ts';
