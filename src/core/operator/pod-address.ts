// Where the engine or the router of a pod listens.
import type { KubernetesObject } from './kubernetes-object.ts';

interface Container {
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
}

const portDefault = 8000;
/** Names of the port: upstream's chart's, then its operator's and ours. */
const portNames = ['container-port', 'router-port', 'http'];

/** The URL of a pod; '' until it has an address, and after it has ended. */
export function podUrl(pod: KubernetesObject): string {
  const { containers = [], initContainers = [] } = (pod['spec'] ?? {}) as {
    readonly containers?: readonly Container[];
    readonly initContainers?: readonly Container[];
  };
  const { podIP = '', phase } = (pod['status'] ?? {}) as {
    readonly podIP?: string;
    readonly phase?: string;
  };
  if (podIP === '' || phase === 'Succeeded' || phase === 'Failed') return '';
  const ports = [...containers, ...initContainers].flatMap(({ ports = [] }) => ports);
  const port = ports.find(({ name = '' }) => portNames.includes(name))?.containerPort;
  return addressUrl(podIP, port ?? portDefault);
}

export function addressUrl(ip: string, port: number): string {
  return `http://${ip.includes(':') ? `[${ip}]` : ip}:${port}`;
}
