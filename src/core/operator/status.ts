// The status of a resource, from that of its Deployment.
import type { KubernetesObject } from './kubernetes-object.ts';

/** One condition, as `kubectl wait --for=condition=…` reads it. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  /** When `status` last changed; RFC 3339. */
  readonly lastTransitionTime: string;
}

/** Upstream's words. */
export type Readiness = 'Ready' | 'Updating' | 'NotReady' | 'Unknown';

export interface Progress {
  readonly readiness: Readiness;
  readonly reason: string;
  readonly message: string;
  readonly replicas: number;
  readonly availableReplicas: number;
  readonly updatedReplicas: number;
  readonly unavailableReplicas: number;
}

interface DeploymentStatus {
  readonly observedGeneration?: number;
  readonly replicas?: number;
  readonly availableReplicas?: number;
  readonly updatedReplicas?: number;
  readonly unavailableReplicas?: number;
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly message?: string;
  }[];
}

/** @param deployment Undefined until it is made. */
export function progressOf(deployment: KubernetesObject | undefined, wanted: number): Progress {
  const status = (deployment?.['status'] ?? {}) as DeploymentStatus;
  const {
    replicas = 0,
    availableReplicas = 0,
    updatedReplicas = 0,
    unavailableReplicas = 0,
  } = status;
  const counts = { replicas, availableReplicas, updatedReplicas, unavailableReplicas };
  // The status of an older generation says nothing of what was applied since.
  const isCurrent = status.observedGeneration === deployment?.metadata.generation;
  const failed = status.conditions?.find(
    ({ type, status }) =>
      (type === 'Progressing' && status === 'False') ||
      (type === 'ReplicaFailure' && status === 'True'),
  );
  if (deployment === undefined || status.observedGeneration === undefined) {
    return {
      ...counts,
      readiness: 'Unknown',
      reason: 'Starting',
      message: 'The Deployment is not started yet.',
    };
  }
  if (failed !== undefined) {
    return {
      ...counts,
      readiness: 'NotReady',
      reason: 'DeploymentFailed',
      message: failed.message ?? failed.type,
    };
  }
  const progress = `${availableReplicas} of ${wanted} pods are ready, ${updatedReplicas} have the current template.`;
  const isDone =
    isCurrent &&
    updatedReplicas >= wanted &&
    availableReplicas >= wanted &&
    unavailableReplicas === 0;
  if (isDone && replicas <= wanted) {
    const reason = wanted === 0 ? 'ScaledToZero' : 'PodsReady';
    return { ...counts, readiness: 'Ready', reason, message: progress };
  }
  const readiness = updatedReplicas > 0 || !isCurrent ? 'Updating' : 'NotReady';
  return { ...counts, readiness, reason: 'PodsStarting', message: progress };
}

/** Replaces the condition of a type; its time stays while its status does. */
export function withCondition(
  conditions: readonly Condition[],
  next: Omit<Condition, 'lastTransitionTime'>,
  now: string,
): readonly Condition[] {
  const before = conditions.find(({ type }) => type === next.type);
  const lastTransitionTime = before?.status === next.status ? before.lastTransitionTime : now;
  const others = conditions.filter(({ type }) => type !== next.type);
  return [...others, { ...next, lastTransitionTime }];
}
