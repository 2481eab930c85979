// Chooses the cluster that this program works with.
import type { ClusterAccess } from './cluster-access.ts';
import { kubeconfigAccess } from './kubeconfig.ts';
import { type ServiceAccountOptions, serviceAccountAccess } from './service-account.ts';

/**
 * Opens the cluster that this program runs in, else that of `KUBECONFIG` or `~/.kube/config`: the order of
 * production-stack's router.
 *
 * @throws {InputError} If there is neither, or the kubeconfig cannot be used.
 */
export async function openCluster(options: ServiceAccountOptions = {}): Promise<ClusterAccess> {
  return (await serviceAccountAccess(options)) ?? (await kubeconfigAccess());
}
