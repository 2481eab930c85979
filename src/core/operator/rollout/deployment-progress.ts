// How far a Deployment is, as a rollout reads it.
import type { KubernetesObject } from '../kubernetes-object.ts';
import { progressOf } from '../status.ts';
import { appliedVersion } from './engine-version.ts';

export interface DeploymentProgress {
  /** The version of its template. */
  readonly version: string | undefined;
  /** All engines have this version, and have served. */
  readonly isComplete: boolean;
  readonly isScaledToZero: boolean;
  /** What the Deployment says if its engines were not ready in time. */
  readonly deadlineExceeded: string | undefined;
  readonly text: string;
}

/** @param replicas Number of engines that are wanted. */
export function deploymentProgress(
  deployment: KubernetesObject | undefined,
  replicas: number,
): DeploymentProgress {
  const { readiness, reason, message } = progressOf(deployment, replicas);
  const status = (deployment?.['status'] ?? {}) as DeploymentStatus;
  // What is said of an older generation may be about another version.
  const isCurrent = status.observedGeneration === deployment?.metadata.generation;
  const progressing = status.conditions?.find(({ type }) => type === 'Progressing');
  const isLate = progressing?.reason === 'ProgressDeadlineExceeded';
  return {
    version: appliedVersion(deployment),
    isComplete: readiness === 'Ready' && reason === 'PodsReady',
    isScaledToZero: reason === 'ScaledToZero',
    deadlineExceeded: isCurrent && isLate ? sentence(progressing.message) : undefined,
    text: message,
  };
}

interface DeploymentStatus {
  readonly observedGeneration?: number;
  readonly conditions?: readonly {
    readonly type: string;
    readonly reason?: string;
    readonly message?: string;
  }[];
}

function sentence(text = 'its engines were not ready in time'): string {
  return text.replace(/\.$/, '');
}
