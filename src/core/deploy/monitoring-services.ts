// Grafana and Prometheus of a cluster, known by the labels of their charts.
import { at, listAt, textAt } from '../kubernetes/index.ts';

export interface MonitoringService {
  readonly program: 'grafana' | 'prometheus';
  readonly namespace: string;
  readonly service: string;
  /** Name of the port; '' if it has none. */
  readonly portName: string;
}

/**
 * Of several, the one in the stack's namespace counts, then one in `monitoring`, then the first by namespace and name.
 *
 * @param services All Services that this user may see.
 * @param namespace Of the stack.
 */
export function monitoringServices(
  services: readonly unknown[],
  namespace: string,
): readonly MonitoringService[] {
  const found = services.flatMap(readService);
  return (['grafana', 'prometheus'] as const).flatMap((program) => {
    const [first] = found
      .filter((one) => one.program === program)
      .sort(
        (one, other) =>
          rank(one, namespace) - rank(other, namespace) ||
          `${one.namespace}/${one.service}`.localeCompare(`${other.namespace}/${other.service}`),
      );
    return first === undefined ? [] : [first];
  });
}

function rank({ namespace }: MonitoringService, own: string): number {
  if (namespace === own) return 0;
  return namespace === 'monitoring' ? 1 : 2;
}

/** Names of a port that serve pages, in the order of preference: kube-prometheus-stack, kube-prometheus, the chart prometheus. */
const pagePorts = ['http-web', 'web', 'http', 'service'];

function readService(service: unknown): readonly MonitoringService[] {
  const program = programOf(service);
  if (program === undefined) return [];
  const names = listAt(service, 'spec', 'ports').map((port) => textAt(port, 'name'));
  if (names.length === 0) return [];
  const portName = pagePorts.find((name) => names.includes(name)) ?? names[0] ?? '';
  return [
    {
      ...{ program, portName, namespace: textAt(service, 'metadata', 'namespace') },
      service: textAt(service, 'metadata', 'name'),
    },
  ];
}

function programOf(service: unknown): MonitoringService['program'] | undefined {
  const labels = (at(service, 'metadata', 'labels') ?? {}) as Readonly<Record<string, unknown>>;
  const app = labels['app.kubernetes.io/name'] ?? labels['app'];
  if (app === 'grafana') return 'grafana';
  // Charts of Prometheus put their other programs under the same name, with another component.
  const component = labels['app.kubernetes.io/component'] ?? labels['component'] ?? 'server';
  const isServer = component === 'server' || component === 'prometheus';
  if (app === 'prometheus' && isServer) return 'prometheus';
  const isOfStack = typeof app === 'string' && /^kube-prometheus-stack-prometheus$/.test(app);
  return isOfStack ? 'prometheus' : undefined;
}
