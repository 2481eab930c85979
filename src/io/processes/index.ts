// Starts, watches, restarts and stops child processes, and never leaves one behind.
export { Child, type ChildExit, type ChildSpec } from './child.ts';
export { delay } from './delay.ts';
export { ChildError } from './errors.ts';
export { findProgram, isPath } from './find-program.ts';
export { LineSplitter } from './line-splitter.ts';
export type { OutputStream } from './output-stream.ts';
export { PinnedCertificate } from './pinned-certificate.ts';
export { assertPortFree, freePortRuns, freePorts } from './ports.ts';
export { type ProbeAnswer, type ProbeTls, probe } from './probe.ts';
export { Service, type ServiceHooks, type ServiceSpec, type ServiceState } from './service.ts';
