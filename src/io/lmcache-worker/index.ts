// LMCache's side of the controller: a worker that reports what it has, and takes orders.
export { type OrderHandlers, openOrders, type PromptMove } from './orders.ts';
export { LmcacheReporter, type LmcacheReporterOptions } from './reporter.ts';
