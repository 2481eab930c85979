// The engines among pods: one per pod that is ready and not terminating, at its IP address.
import { at, listAt, textAt } from './json-fields.ts';

/** What is kept of a pod. */
export interface EnginePod {
  readonly namespace: string;
  readonly name: string;
  /** '' until it has one. */
  readonly ip: string;
  /** Whether it can take requests: its condition `Ready` is true, it is not being deleted, and it has not ended. */
  readonly isServing: boolean;
  /** Its label `model`, or ''. */
  readonly label: string;
  /** When it was created, as the API server writes it: sorts by time. */
  readonly createdAt: string;
}

export interface ClusterEngine {
  readonly url: string;
  readonly name: string;
  /** The label `model` of its pod or Service, if it has one. */
  readonly label?: string;
}

/**
 * The condition `Ready` counts, not the containers: it also has readiness gates, and turns false when the node is lost.
 *
 * @see https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions
 */
export const readEnginePod = (pod: unknown): EnginePod => {
  const phase = textAt(pod, 'status', 'phase');
  const isReady = listAt(pod, 'status', 'conditions').some(
    (condition) => textAt(condition, 'type') === 'Ready' && textAt(condition, 'status') === 'True',
  );
  const isTerminating = at(pod, 'metadata', 'deletionTimestamp') != null;
  return {
    namespace: textAt(pod, 'metadata', 'namespace'),
    name: textAt(pod, 'metadata', 'name'),
    ip: textAt(pod, 'status', 'podIP'),
    isServing: isReady && !isTerminating && phase !== 'Succeeded' && phase !== 'Failed',
    label: textAt(pod, 'metadata', 'labels', 'model'),
    createdAt: textAt(pod, 'metadata', 'creationTimestamp'),
  };
};

/**
 * Returns the engines in the order of their names, each URL once. If two pods have one address (an ended one whose
 * address has been given to another, or pods in the network of one node), the younger one has it.
 *
 * @param namesNamespaces Whether names begin with the namespace, because there are several.
 */
export function enginesOfPods(
  pods: Iterable<EnginePod>,
  port: number,
  namesNamespaces: boolean,
): ClusterEngine[] {
  const byUrl = new Map<string, EnginePod>();
  for (const pod of pods) {
    if (!pod.isServing || pod.ip === '') continue;
    const url = `http://${pod.ip.includes(':') ? `[${pod.ip}]` : pod.ip}:${port}`;
    const other = byUrl.get(url);
    if (other === undefined || isYounger(pod, other)) byUrl.set(url, pod);
  }
  return inOrder(byUrl, namesNamespaces);
}

/** Returns engines by their names, so that the same cluster always gives the same list. */
export function inOrder(
  byUrl: ReadonlyMap<string, Required<Omit<ClusterEngine, 'url'>> & { readonly namespace: string }>,
  namesNamespaces: boolean,
): ClusterEngine[] {
  return Array.from(byUrl, ([url, { namespace, name, label }]) => ({
    ...(label === '' ? { url } : { url, label }),
    name: namesNamespaces ? `${namespace}/${name}` : name,
  })).sort((one, other) => (one.name < other.name ? -1 : 1));
}

function isYounger(pod: EnginePod, other: EnginePod): boolean {
  if (pod.createdAt !== other.createdAt) return pod.createdAt > other.createdAt;
  return `${pod.namespace}/${pod.name}` > `${other.namespace}/${other.name}`;
}
