// The workflow on Kubernetes: deploys a stack, shows its state, tests it and removes it.
export { ownChart } from './chart.ts';
export { Cluster } from './cluster.ts';
export { type Deployment, type DeployOptions, deploy } from './deploy.ts';
export { componentLine, deploymentJson, stackJson, statusLines } from './deploy-text.ts';
export { doctor } from './doctor.ts';
export { checkGroupNodes } from './group-nodes.ts';
export { type LogLine, readStackLogs } from './logs.ts';
export { type MonitoredName, openMonitor } from './monitor.ts';
export { observeStack } from './observe.ts';
export { type Release, readRelease, releaseNames } from './release.ts';
export { openRouter } from './router-access.ts';
export { completeAll, type Served, waitUntilServing } from './serving-wait.ts';
export { type SmokeCheck, type SmokeReport, smoke } from './smoke.ts';
export { openTarget, type Target, targets } from './targets.ts';
export { type Teardown, teardown } from './teardown.ts';
