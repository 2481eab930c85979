// A local URL of a stack's router.
import { InputError } from '../../core/base/index.ts';
import { at, listAt } from '../../core/kubernetes/index.ts';
import { openServiceProxy } from '../../io/kubernetes/index.ts';
import type { Cluster } from './cluster.ts';
import type { Manifest } from './manifests.ts';
import type { Release } from './release.ts';
import { forwarded, openServiceForward } from './service-forward.ts';

export interface RouterAccess {
  readonly url: string;
  /** Whether its connections end in a pod, so that a certificate is for another name. */
  readonly isTunnel: boolean;
  close(): Promise<void>;
}

/**
 * Opens a local port: by the proxy of the API server, or, if the router wants a key, by port-forward. The proxy takes the
 * header `Authorization` for itself.
 *
 * @throws {InputError} If the release has no router.
 */
export async function openRouter(
  cluster: Cluster,
  release: Release,
  apiKey: string | undefined,
): Promise<RouterAccess> {
  const service = routerService(release.manifests);
  if (service === undefined) {
    throw new InputError(
      `The release ${release.name} has no Service of a router (routerSpec.enableRouter); name an engine with --url.`,
    );
  }
  const scheme = routerScheme(release.manifests);
  const { namespace } = release;
  if (apiKey !== undefined) {
    const target = { ...forwarded(service), namespace };
    const { port, close } = await openServiceForward(cluster, target);
    return { url: `${scheme}://127.0.0.1:${port}`, isTunnel: true, close };
  }
  const port = Number(at(listAt(service, 'spec', 'ports')[0], 'port'));
  const target = { namespace, service: service.metadata.name, port, scheme };
  return { ...(await openServiceProxy(cluster.access, target)), isTunnel: false };
}

export function routerService(manifests: readonly Manifest[]): Manifest | undefined {
  return manifests.find(
    ({ kind, metadata }) => kind === 'Service' && /-router-service$/.test(metadata.name),
  );
}

/** What the router serves: its flag is in the Deployment. */
export function routerScheme(manifests: readonly Manifest[]): 'http' | 'https' {
  const router = manifests.find(
    ({ kind, metadata }) => kind === 'Deployment' && /-deployment-router$/.test(metadata.name),
  );
  const hasTls = listAt(router, 'spec', 'template', 'spec', 'containers').some((container) =>
    listAt(container, 'args').some((word) => word === '--tls-cert'),
  );
  return hasTls ? 'https' : 'http';
}
