// The workflow on Kubernetes: deploys a stack, shows its state, tests it and removes it.
export type { ObjectChange } from './changes.ts';
export { ownChart } from './chart.ts';
export { Cluster } from './cluster.ts';
export { containerdHostsFolder } from './containerd-hosts.ts';
export { type Deployment, type DeployOptions, deploy } from './deploy.ts';
export {
  changesJson,
  componentLine,
  deploymentJson,
  stackJson,
  statusLines,
} from './deploy-text.ts';
export { type DoctorOptions, doctor } from './doctor.ts';
export { dryRunWithoutCluster } from './dry-run.ts';
export { findMirror, mirrorVariable, namedMirror } from './find-mirror.ts';
export { checkGroupNodes } from './group-nodes.ts';
export { chartImages } from './image-list.ts';
export { handleImages, type ImagesReport, type Preload, preloads } from './images.ts';
export { type LogLine, readStackLogs } from './logs.ts';
export { type MonitoredName, openMonitor } from './monitor.ts';
export { observeStack } from './observe.ts';
export { type Release, readRelease, releaseNames } from './release.ts';
export { openRouter } from './router-access.ts';
export { completeAll, type Served, waitUntilServing } from './serving-wait.ts';
export { checkReached, type SmokeCheck, type SmokeReport, smoke } from './smoke.ts';
export { openTarget, type Target, targets } from './targets.ts';
export { type Teardown, teardown } from './teardown.ts';
