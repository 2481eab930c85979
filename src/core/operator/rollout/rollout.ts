// Which version of its engines a runtime runs: the one of its spec, or the last one that served if that one does not.
// Pure and level-triggered: what must outlive the operator is in the status and in ControllerRevisions. The Deployment
// replaces the pods; this only chooses which.
import type { DeploymentProgress } from './deployment-progress.ts';

/** In the status of a runtime. */
export interface RolloutState {
  /** The version of the spec. */
  readonly version: string;
  /** The last version of which all engines have served. */
  readonly servedVersion?: string;
  /** The version of the spec, if it did not serve. */
  readonly failedVersion?: string;
}

export interface RolloutInput {
  /** The version of the spec. */
  readonly wanted: string;
  /** What the status says. */
  readonly before: RolloutState | undefined;
  readonly deployment: DeploymentProgress;
  /** Whether the version that served can be had. */
  readonly hasServed: boolean;
  readonly rollBack: boolean;
}

export interface Rollout {
  /** The version to apply. */
  readonly target: string;
  readonly state: RolloutState;
  readonly condition: RolloutCondition;
}

export interface RolloutCondition {
  readonly status: 'True' | 'False';
  readonly reason:
    | 'RollingOut'
    | 'VersionServed'
    | 'ScaledToZero'
    | 'RollingBack'
    | 'RolledBack'
    | 'DeadlineExceeded';
  readonly message: string;
}

export function planRollout(input: RolloutInput): Rollout {
  const { wanted, before, deployment, hasServed, rollBack } = input;
  const served = before?.servedVersion;
  // A failure is of one version: another spec is tried anew.
  const hadFailed = before?.failedVersion === wanted;
  const canReturn = rollBack && hasServed && served !== undefined && served !== wanted;
  const target = hadFailed && canReturn ? served : wanted;
  const runs = deployment.version === target;
  const failsNow = deployment.version === wanted && deployment.deadlineExceeded !== undefined;
  // The failure is written first and acted on at the next look: an operator that ends in between forgets nothing.
  const hasFailed = canReturn && (hadFailed || failsNow);
  const hasServedNow = runs && deployment.isComplete;
  const servedVersion = hasServedNow ? target : served;
  const state = {
    version: wanted,
    ...(servedVersion === undefined ? {} : { servedVersion }),
    ...(hasFailed ? { failedVersion: wanted } : {}),
  };
  return { target, state, condition: conditionOf(input, target, state) };
}

function conditionOf(
  { wanted, deployment }: RolloutInput,
  target: string,
  { failedVersion }: RolloutState,
): RolloutCondition {
  const { deadlineExceeded, isComplete, isScaledToZero, text } = deployment;
  const isApplied = deployment.version === target;
  if (failedVersion !== undefined) {
    const why = `Version ${failedVersion} did not serve`;
    const next = 'Change the spec to try again.';
    return target !== wanted && isApplied && isComplete
      ? {
          ...{ status: 'False', reason: 'RolledBack' },
          message: `${why}, so version ${target} serves again. ${next}`,
        }
      : {
          ...{ status: 'False', reason: 'RollingBack' },
          message: `${why}${deadlineExceeded ? ` (${deadlineExceeded})` : ''}: returning to the last version that did.`,
        };
  }
  if (isApplied && deadlineExceeded !== undefined) {
    const message = `Version ${target} does not serve (${deadlineExceeded}), and there is none to return to.`;
    return { status: 'False', reason: 'DeadlineExceeded', message };
  }
  if (isApplied && isScaledToZero) {
    return { status: 'True', reason: 'ScaledToZero', message: `Version ${target} has no engines.` };
  }
  if (isApplied && isComplete) {
    return { status: 'True', reason: 'VersionServed', message: `Version ${target} serves.` };
  }
  return { status: 'True', reason: 'RollingOut', message: `Version ${wanted}: ${text}` };
}
