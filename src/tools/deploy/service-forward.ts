// A local port in front of the pods of a Service, through the API server: needs no way into the cluster's network, keeps every
// header, and stays while pods come and go.
import { serviceTargets } from '../../core/deploy/index.ts';
import { listAt, textAt } from '../../core/kubernetes/index.ts';
import { type LocalForward, openLocalForward } from '../../io/kubernetes/index.ts';
import type { Cluster } from './cluster.ts';

export interface ForwardedService {
  readonly namespace: string;
  readonly name: string;
  /** Name of the Service's port; '' if it has none. */
  readonly portName: string;
}

export interface ServiceForwardOptions {
  /** Local port. @default 0: any */
  readonly port?: number | undefined;
  /** Why connections fail, once per reason; undefined when they succeed again. */
  readonly onState?: ((failure: string | undefined) => void) | undefined;
}

/**
 * Listens on the loopback address. Each connection goes to the next ready pod.
 *
 * @throws {Error} If the local port is in use.
 */
export async function openServiceForward(
  cluster: Cluster,
  { namespace, name, portName }: ForwardedService,
  { port = 0, onState = () => {} }: ServiceForwardOptions = {},
): Promise<LocalForward> {
  const query = new URLSearchParams({ labelSelector: `kubernetes.io/service-name=${name}` });
  const path = `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices?${query}`;
  let connections = 0;
  let state: string | undefined;
  return openLocalForward({
    port,
    connect: async (signal) => {
      const targets = serviceTargets(listAt(await cluster.get(path), 'items'), portName);
      const target = targets[connections++ % targets.length];
      if (target === undefined) throw new Error(`Service ${name} has no ready pod`);
      return cluster.access.openPodPort({ namespace, ...target }, signal);
    },
    onState: (failure) => {
      if (failure !== state) onState(failure);
      state = failure;
    },
  });
}

/** The first port of a Service. */
export function forwarded(service: unknown): ForwardedService {
  return {
    namespace: textAt(service, 'metadata', 'namespace'),
    name: textAt(service, 'metadata', 'name'),
    portName: textAt(listAt(service, 'spec', 'ports')[0], 'name'),
  };
}
