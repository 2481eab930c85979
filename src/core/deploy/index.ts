// A stack in a cluster: the states of its parts with reasons and next steps, and what must hold before it is deployed. Pure:
// `tools/deploy` reads the cluster and acts.
export { chartFaults } from './chart-faults.ts';
export { type Check, listed } from './check.ts';
export { checkAccess } from './check-access.ts';
export {
  checkGpus,
  checkRights,
  checkRoom,
  checkStorage,
  type Right,
} from './cluster-checks.ts';
export {
  type ComponentState,
  componentName,
  componentState,
  type ObservedComponent,
  type Role,
} from './component.ts';
export { type Group, groupLabel, groupRelease, groups, groupValues } from './group.ts';
export { type ImageReference, parseImage } from './image-reference.ts';
export { causeOf, type LogCause, stageOf } from './log-causes.ts';
export {
  apiRoot,
  basicAuthorization,
  greetingUrl,
  hostsFileMark,
  hostsToml,
  type Mirror,
  minikubeFlags,
  type RegistryLogin,
  registryUrl,
} from './mirror-hosts.ts';
export { type MonitoringService, monitoringServices } from './monitoring-services.ts';
export { nameFaults, releaseFault } from './name-faults.ts';
export { readNode, readNodeSystem, readRequests } from './nodes.ts';
export {
  type EventFacts,
  isSelected,
  type PodFacts,
  readEvent,
  readPod,
  readWorkload,
  type Workload,
} from './observed.ts';
export { type Health, type PodState, podState, wantedLog } from './pod-state.ts';
export { serviceTargets } from './service-target.ts';
export { type StackState, stackState } from './stack-state.ts';
export { type WantedEngine, wantedEngines } from './wanted-engines.ts';
