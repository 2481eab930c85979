// The coordinator of LMCache's multiprocess mode.
export { type Coordinator, createCoordinator } from './coordinator.ts';
export { QuotaSweep } from './quota-sweep.ts';
