// Child processes: start, watch, restart, stop, and never leave one behind.
export { Child, type ChildExit, type ChildSpec, type OutputStream } from './child.ts';
export { delay } from './delay.ts';
export { ChildError } from './errors.ts';
export { assertPortFree, freePortRuns, freePorts } from './ports.ts';
export { type ProbeAnswer, probe } from './probe.ts';
export { Service, type ServiceHooks, type ServiceSpec, type ServiceState } from './service.ts';
export { type StopSignals, watchStopSignals } from './stop-signals.ts';
