// How this program reaches the API server of a cluster: where it is, and how each request proves who asks.
import type { RequestOptions } from 'node:https';
import { kubeconfigAccess } from './kubeconfig.ts';
import { type ServiceAccountOptions, serviceAccountAccess } from './service-account.ts';

export interface ClusterAccess {
  /** `https://host:port`, with a path if the server is behind a proxy that has one. */
  readonly server: string;
  /** TLS and credentials of the next request, read again when they are old. */
  requestOptions(): Promise<RequestOptions>;
  /** The server did not accept the credentials: they are read again for the next request. */
  refused(): void;
  close(): void;
}

/**
 * Opens the cluster that this program runs in, else that of `KUBECONFIG` or `~/.kube/config`: the order of
 * production-stack's router.
 *
 * @throws {InputError} If there is neither, or the kubeconfig cannot be used.
 */
export async function openCluster(options: ServiceAccountOptions = {}): Promise<ClusterAccess> {
  return (await serviceAccountAccess(options)) ?? (await kubeconfigAccess());
}
