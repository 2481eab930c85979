// Loads trace files from disk.
export { loadTrace } from './load-trace.ts';
