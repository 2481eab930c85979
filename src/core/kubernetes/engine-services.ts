// The engines among Services: one per Service with a ready endpoint, at its name.
import { type ClusterEngine, inOrder } from './engine-pods.ts';
import { at, listAt, textAt } from './json-fields.ts';

/** What is kept of a Service. */
export interface EngineService {
  readonly namespace: string;
  readonly name: string;
  /** Its label `model`, or ''. */
  readonly label: string;
  readonly ports: readonly ServicePort[];
}

interface ServicePort {
  readonly port: number;
  /** Port of the pods; undefined if it is a name. */
  readonly targetPort: number | undefined;
}

/** What is kept of an EndpointSlice. */
export interface ServiceSlice {
  /** `namespace/name` of its Service; undefined if it has none. */
  readonly service: string | undefined;
  readonly hasReady: boolean;
}

export const readEngineService = (service: unknown): EngineService => ({
  namespace: textAt(service, 'metadata', 'namespace'),
  name: textAt(service, 'metadata', 'name'),
  label: textAt(service, 'metadata', 'labels', 'model'),
  ports: listAt(service, 'spec', 'ports').flatMap((entry) => {
    const [port, target] = [at(entry, 'port'), at(entry, 'targetPort')];
    if (typeof port !== 'number') return [];
    // Without a target the port of the pods is the same.
    const targetPort = typeof target === 'number' ? target : target == null ? port : undefined;
    return [{ port, targetPort }];
  }),
});

/** An endpoint that says nothing about its readiness is ready; one that terminates is not. */
export const readServiceSlice = (slice: unknown): ServiceSlice => {
  const name = textAt(slice, 'metadata', 'labels', 'kubernetes.io/service-name');
  return {
    service: name === '' ? undefined : `${textAt(slice, 'metadata', 'namespace')}/${name}`,
    hasReady: listAt(slice, 'endpoints').some(
      (endpoint) => at(endpoint, 'conditions', 'ready') !== false,
    ),
  };
};

/**
 * Returns the engines in the order of their names. The host is `name.namespace`, which every pod of the cluster resolves
 * whatever the cluster's domain is.
 *
 * @param port Port of the Service, or of its pods; a Service that has neither, but one port only, is reached there.
 * @param namesNamespaces Whether names begin with the namespace, because there are several.
 */
export function enginesOfServices(
  services: Iterable<EngineService>,
  slices: Iterable<ServiceSlice>,
  port: number,
  namesNamespaces: boolean,
): ClusterEngine[] {
  const ready = new Set<string>();
  for (const { service, hasReady } of slices) {
    if (service !== undefined && hasReady) ready.add(service);
  }
  const byUrl = new Map<string, EngineService>();
  for (const service of services) {
    const { namespace, name } = service;
    if (!ready.has(`${namespace}/${name}`)) continue;
    byUrl.set(`http://${name}.${namespace}:${portOf(service, port)}`, service);
  }
  return inOrder(byUrl, namesNamespaces);
}

function portOf({ ports }: EngineService, wanted: number): number {
  if (ports.some(({ port }) => port === wanted)) return wanted;
  const forward = ports.find(({ targetPort }) => targetPort === wanted);
  if (forward !== undefined) return forward.port;
  return ports.length === 1 ? (ports[0]?.port ?? wanted) : wanted;
}
