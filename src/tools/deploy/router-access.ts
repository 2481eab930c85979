// A local URL of a stack's router.
import { InputError } from '../../core/base/index.ts';
import { at, listAt } from '../../core/kubernetes/index.ts';
import { openServiceProxy } from '../../io/kubernetes/index.ts';
import type { Cluster } from './cluster.ts';
import type { Manifest } from './manifests.ts';
import type { Release } from './release.ts';

export interface RouterAccess {
  readonly url: string;
  close(): Promise<void>;
}

/** @throws {InputError} If the release has no router. */
export async function openRouter(cluster: Cluster, release: Release): Promise<RouterAccess> {
  const service = routerService(release.manifests);
  if (service === undefined) {
    throw new InputError(
      `The release ${release.name} has no Service of a router (routerSpec.enableRouter); name an engine with --url.`,
    );
  }
  const port = Number(at(listAt(service, 'spec', 'ports')[0], 'port'));
  return openServiceProxy(cluster.access, {
    ...{ namespace: release.namespace, service: service.metadata.name, port },
    scheme: hasTls(release.manifests) ? 'https' : 'http',
  });
}

export function routerService(manifests: readonly Manifest[]): Manifest | undefined {
  return manifests.find(
    ({ kind, metadata }) => kind === 'Service' && /-router-service$/.test(metadata.name),
  );
}

/** Whether the router serves https: its flag is in the Deployment. */
function hasTls(manifests: readonly Manifest[]): boolean {
  const router = manifests.find(
    ({ kind, metadata }) => kind === 'Deployment' && /-deployment-router$/.test(metadata.name),
  );
  return listAt(router, 'spec', 'template', 'spec', 'containers').some((container) =>
    listAt(container, 'args').some((word) => word === '--tls-cert'),
  );
}
