// How resources and other objects of the cluster belong together.
import type { EnginePod } from './engine-pod.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import type { Resource } from './reconcile.ts';
import { matchesSelector } from './selector.ts';

/** The objects that a resource owns. */
export function ownedBy(
  { metadata }: Resource,
  objects: Iterable<KubernetesObject>,
): readonly KubernetesObject[] {
  return Array.from(objects).filter((object) =>
    object.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid),
  );
}

/** The pods of a resource's Deployment, by its selector. @param pods Of its namespace. */
export function podsOf(
  owned: readonly KubernetesObject[],
  pods: Iterable<EnginePod>,
): readonly EnginePod[] {
  const deployment = owned.find(({ kind }) => kind === 'Deployment');
  return deployment === undefined
    ? []
    : Array.from(pods).filter(({ labels }) => isSelected(deployment, labels));
}

function isSelected(deployment: KubernetesObject, labels: EnginePod['labels']): boolean {
  const { selector } = deployment['spec'] as {
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  };
  const wanted = Object.entries(selector?.matchLabels ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

/** Names of the runtimes whose Deployments have made a pod. @param deployments Of its namespace. */
export function runtimesOfPod(
  { labels }: EnginePod,
  deployments: Iterable<KubernetesObject>,
): readonly string[] {
  return Array.from(deployments)
    .filter((deployment) => isSelected(deployment, labels))
    .flatMap(({ metadata }) => metadata.ownerReferences ?? [])
    .filter(({ kind }) => kind === 'VLLMRuntime')
    .map(({ name }) => name);
}

/**
 * Counts the runtimes with a ready engine among those that a router's selector finds.
 *
 * @param runtimes Of all namespaces.
 * @returns Undefined for other resources, and for a router without a selector.
 */
export function activeRuntimes(
  { kind, metadata, spec }: Resource,
  runtimes: Iterable<KubernetesObject>,
): number | undefined {
  if (kind !== 'VLLMRouter') return undefined;
  const { k8sLabelSelector } = spec as { readonly k8sLabelSelector?: string };
  if (!k8sLabelSelector) return undefined;
  return Array.from(runtimes).filter(({ metadata: runtime, ...rest }) => {
    const { availableReplicas = 0 } = (rest['status'] ?? {}) as {
      readonly availableReplicas?: number;
    };
    const labels = { app: runtime.name, ...runtime.labels };
    return (
      runtime.namespace === metadata.namespace &&
      availableReplicas > 0 &&
      matchesSelector(labels, k8sLabelSelector)
    );
  }).length;
}
