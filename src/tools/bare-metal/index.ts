// The workflow on hosts with systemd: deploys a stack by ssh, shows its state and logs, and removes it.
export { type BareMetalDeployment, deployOnHosts } from './deploy.ts';
export { followLogs } from './logs.ts';
export { observeHosts } from './observe.ts';
export { HostSession, openHosts } from './session.ts';
export { type HostsTeardown, teardownHosts } from './teardown.ts';
