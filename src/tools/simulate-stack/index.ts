// The stack of a values file in virtual time.
export type { Outage } from './shared-stores.ts';
export { type StackRun, type StackRunOptions, type StackTraffic, simulateStack } from './stack.ts';
export { stackPage } from './stack-page.ts';
export { stackJson, stackTable } from './stack-report.ts';
export type { OffloadChoice } from './stack-tiers.ts';
