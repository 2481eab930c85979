// Local ports in front of a stack's router, and of Grafana and Prometheus where the cluster has them.
import { InputError } from '../../core/base/index.ts';
import { monitoringServices } from '../../core/deploy/index.ts';
import type { LocalForward } from '../../io/kubernetes/index.ts';
import { portError } from '../../io/listen/index.ts';
import type { Cluster } from './cluster.ts';
import type { Release } from './release.ts';
import { routerScheme, routerService } from './router-access.ts';
import { type ForwardedService, forwarded, openServiceForward } from './service-forward.ts';

export type MonitoredName = 'router' | 'grafana' | 'prometheus';

export interface MonitorOptions {
  readonly cluster: Cluster;
  readonly release: Release;
  /** Local ports that were asked for. Others are the usual ones, or, where those are in use, free ones. */
  readonly ports: Readonly<Partial<Record<MonitoredName, number>>>;
  /** A program can no longer be reached, with the reason, or can be again. */
  readonly onState: (name: MonitoredName, failure: string | undefined) => void;
}

export interface Monitored {
  readonly name: MonitoredName;
  readonly url: string;
  readonly namespace: string;
  readonly service: string;
}

export interface Monitor {
  readonly forwards: readonly Monitored[];
  close(): Promise<void>;
}

/** Where these programs are usually found. */
const usualPorts: Readonly<Record<MonitoredName, number>> = {
  ...{ router: 8000, grafana: 3000, prometheus: 9090 },
};

interface Wanted {
  readonly name: MonitoredName;
  readonly scheme: 'http' | 'https';
  readonly service: ForwardedService;
}

/** @throws {InputError} If there is nothing to forward, or a port that was asked for is in use. */
export async function openMonitor(options: MonitorOptions): Promise<Monitor> {
  const { cluster, release } = options;
  const wanted = await servicesOf(cluster, release);
  if (wanted.length === 0) {
    throw new InputError(
      `The release ${release.name} has no router, and no Grafana or Prometheus was found in the cluster.`,
    );
  }
  const opened: (Monitored & { readonly forward: LocalForward })[] = [];
  const close = async () => {
    await Promise.all(opened.map(({ forward }) => forward.close()));
  };
  try {
    for (const { name, scheme, service } of wanted) {
      const forward = await openForward(options, name, service);
      const url = `${scheme}://127.0.0.1:${forward.port}`;
      opened.push({ name, url, forward, namespace: service.namespace, service: service.name });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { forwards: opened.map(({ forward: _, ...monitored }) => monitored), close };
}

async function servicesOf(cluster: Cluster, release: Release): Promise<readonly Wanted[]> {
  const { manifests, namespace } = release;
  const router = routerService(manifests);
  const own = `/api/v1/namespaces/${encodeURIComponent(namespace)}/services`;
  const services =
    (await cluster.listIfAllowed('/api/v1/services')) ?? (await cluster.listIfAllowed(own)) ?? [];
  return [
    ...(router === undefined
      ? []
      : [
          {
            ...{ name: 'router' as const, scheme: routerScheme(manifests) },
            service: { ...forwarded(router), namespace },
          },
        ]),
    ...monitoringServices(services, namespace).map(({ program, portName, ...found }) => ({
      ...{ name: program, scheme: 'http' as const },
      service: { namespace: found.namespace, name: found.service, portName },
    })),
  ];
}

async function openForward(
  { cluster, ports, onState }: MonitorOptions,
  name: MonitoredName,
  service: ForwardedService,
): Promise<LocalForward> {
  const asked = ports[name];
  const open = (port: number) =>
    openServiceForward(cluster, service, { port, onState: (failure) => onState(name, failure) });
  try {
    return await open(asked ?? usualPorts[name]);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    if (asked === undefined) return open(0);
    throw portError(cause as Error, '127.0.0.1', asked, `--${name}-port`);
  }
}
