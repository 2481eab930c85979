// The status of a resource, from that of its Deployment.
import type { z } from 'zod';
import type { KubernetesObject, Owner } from './kubernetes-object.ts';

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

/** The status of a resource whose specification cannot be read: what was there before, with the reason. */
export function invalidStatus(
  resource: Owner & { readonly status?: unknown },
  error: z.ZodError,
  now: string,
): Readonly<Record<string, unknown>> {
  const before = (resource.status ?? {}) as { readonly conditions?: readonly Condition[] };
  const observedGeneration = resource.metadata.generation ?? 0;
  const [issue] = error.issues;
  const condition = {
    ...{ type: 'Ready', reason: 'InvalidSpec', observedGeneration },
    status: 'False',
    message: `spec.${issue?.path.join('.')}: ${issue?.message}.`,
  } as const;
  const conditions = withCondition(before.conditions ?? [], condition, now);
  return { ...before, observedGeneration, conditions };
}

/**
 * The status to write, or undefined if it says the same as the present one. A write for each look at the cluster would
 * cause the next look: only a change counts, not the time.
 */
export function statusChange(
  { status }: { readonly status?: unknown },
  next: Readonly<Record<string, unknown>>,
  now: string,
): Readonly<Record<string, unknown>> | undefined {
  const { lastUpdated: _, ...before } = (status ?? {}) as Readonly<Record<string, unknown>>;
  return isEqual(before, next) ? undefined : { ...next, lastUpdated: now };
}

/** Equal as JSON, whatever the order of keys. */
function isEqual(one: unknown, other: unknown): boolean {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) {
    return one === other;
  }
  const [keys, others] = [Object.keys(one), Object.keys(other)];
  return (
    keys.length === others.length &&
    keys.every((key) =>
      isEqual((one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]),
    )
  );
}
