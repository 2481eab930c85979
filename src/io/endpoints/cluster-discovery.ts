// Declares Kubernetes as a source of endpoints, with the flags of production-stack's router.
import { commaList, InputError } from '../../core/base/index.ts';
import type { ClusterKind, ClusterSettings } from './cluster-settings.ts';
import type { Discovery } from './discovery.ts';
import type { EndpointSource, SourceLog } from './endpoint-source.ts';

export const clusterDiscovery: Discovery = {
  kind: 'k8s',
  flags: [
    {
      flag: '--k8s-service-discovery-type <type>',
      help: 'pod-ip: an engine per ready pod, at its address; service-name: one per Service with a ready pod, at its name',
      standard: 'pod-ip',
    },
    {
      flag: '--k8s-port <port>',
      help: 'port of the engines in pods; for Services, their port or the one that leads there',
      standard: '8000',
    },
    {
      flag: '--k8s-namespace <names>',
      help: 'namespaces of the engines, comma-separated',
      standard: 'default',
    },
    {
      flag: '--k8s-label-selector <selector>',
      help: 'labels of the pods or Services, as kubectl -l takes them',
      standard: '',
    },
    {
      flag: '--k8s-watcher-timeout-seconds <seconds>',
      help: 'length of a watch, after which it is renewed; 0 for about a minute',
      standard: '0',
    },
  ],
  open: ([type = '', port = '', namespaces = '', labelSelector = '', watch = ''], log) => {
    return clusterEndpoints({
      ...{ kind: kindOf(type), namespaces: namespacesOf(namespaces), labelSelector },
      port: wholeNumber(port, '--k8s-port', 1, 65_535),
      watchSeconds: wholeNumber(watch, '--k8s-watcher-timeout-seconds', 0, 3_600),
      log,
    });
  },
};

/** The engines of a cluster. The code and the libraries for it are loaded when the first one is asked for. */
function clusterEndpoints(options: ClusterSettings & { readonly log: SourceLog }): EndpointSource {
  return {
    name: 'Kubernetes',
    async *changes(signal) {
      const { clusterSource } = await import('./cluster-source.ts');
      yield* clusterSource(options).changes(signal);
    },
  };
}

function kindOf(text: string): ClusterKind {
  if (text === 'pod-ip' || text === 'service-name') return text;
  throw new InputError(
    `--k8s-service-discovery-type must be pod-ip or service-name, not "${text}".`,
  );
}

/** Each costs one watch, or two for Services. */
const namespacesMax = 16;

function namespacesOf(text: string): readonly string[] {
  const names = [...new Set(commaList(text))];
  const wrong = names.find((name) => !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name));
  if (wrong !== undefined) {
    throw new InputError(`--k8s-namespace: "${wrong}" is not the name of a namespace.`);
  }
  if (names.length === 0 || names.length > namespacesMax) {
    throw new InputError(`--k8s-namespace takes 1 to ${namespacesMax} namespaces.`);
  }
  return names;
}

function wholeNumber(text: string, flag: string, min: number, max: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= min && number <= max) return number;
  throw new InputError(`${flag} must be a whole number from ${min} to ${max}, not "${text}".`);
}
