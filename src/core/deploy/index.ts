// A stack in a cluster: the states of its parts with reasons and next steps. Pure:
// `tools/deploy` reads the cluster and acts.
export {
  type ComponentState,
  componentState,
  type ObservedComponent,
  type Role,
} from './component.ts';
export {
  type EventFacts,
  isSelected,
  type PodFacts,
  readEvent,
  readPod,
  readWorkload,
  type Workload,
} from './observed.ts';
export { type Health, type PodState, wantedLog } from './pod-state.ts';
export { type StackState, stackState } from './stack-state.ts';
