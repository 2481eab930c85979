// LMCache's side of the controller: a worker that reports what it has.
export { LmcacheReporter, type LmcacheReporterOptions } from './reporter.ts';
