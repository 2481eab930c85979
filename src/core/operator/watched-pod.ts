// What is kept of a pod that is watched: the fields that are read, so that a thousand pods take kilobytes.
import type { KubernetesObject } from './kubernetes-object.ts';

/**
 * @param labels Those that are kept.
 * @param engine What was read from the pod.
 */
export function watchedPod(
  pod: KubernetesObject,
  labels: Readonly<Record<string, string>> | undefined,
  engine: unknown,
): KubernetesObject {
  const { name, namespace, uid, resourceVersion, deletionTimestamp } = pod.metadata;
  return {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
      ...(labels !== undefined && { labels }),
    },
    engine,
  };
}
