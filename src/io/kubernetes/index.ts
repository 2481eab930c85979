// Connections to the API server of a Kubernetes cluster.
export { type ApiCall, ApiStatusError, apiGet, apiSend } from './api-request.ts';
export type { ClusterAccess } from './cluster-access.ts';
export { type FollowedListOptions, followList } from './follow-list.ts';
export { type ContextAccess, kubeconfigAccess } from './kubeconfig.ts';
export { listAll } from './list-all.ts';
export { type LocalForward, openLocalForward } from './local-forward.ts';
export { NoClusterError } from './no-cluster-error.ts';
export { openCluster } from './open-cluster.ts';
export type { PodPort } from './pod-port.ts';
export type { ServiceAccountOptions } from './service-account.ts';
export { openServiceProxy, type ServiceProxy } from './service-proxy.ts';
