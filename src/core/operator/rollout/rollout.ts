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
  /** Why it did not. */
  readonly failure?: string;
}

export interface RolloutInput {
  /** The version of the spec. */
  readonly wanted: string;
  /** What the status says. */
  readonly before: RolloutState | undefined;
  readonly deployment: DeploymentProgress;
  /** Why the pods of the wanted version do not serve, and will not. */
  readonly podFailure?: string | undefined;
  /** What they wait for; '' if nothing is known. */
  readonly podWait?: string | undefined;
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
    | 'PodsFailing'
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
  const failure = failureNow(input);
  // The failure is written first and acted on at the next look: an operator that ends in between forgets nothing.
  const hasFailed = canReturn && (hadFailed || failure !== undefined);
  const why = hadFailed ? before?.failure : failure;
  const hasServedNow = runs && deployment.isComplete;
  const servedVersion = hasServedNow ? target : served;
  const state = {
    version: wanted,
    ...(servedVersion === undefined ? {} : { servedVersion }),
    ...(hasFailed ? { failedVersion: wanted } : {}),
    ...(hasFailed && why !== undefined ? { failure: why } : {}),
  };
  return { target, state, condition: conditionOf(input, target, state) };
}

/**
 * Why the version of the spec does not serve: its pods cannot, which is known long before the deadline, or they were not
 * ready in time.
 */
function failureNow({ wanted, deployment, podFailure, podWait }: RolloutInput): string | undefined {
  if (deployment.version !== wanted) return undefined;
  const { deadlineExceeded } = deployment;
  if (podFailure !== undefined || deadlineExceeded === undefined) return podFailure;
  return podWait ? `${deadlineExceeded}; ${podWait}` : deadlineExceeded;
}

function conditionOf(
  input: RolloutInput,
  target: string,
  { failedVersion, failure }: RolloutState,
): RolloutCondition {
  const { wanted, deployment } = input;
  const { deadlineExceeded, isComplete, isScaledToZero, text } = deployment;
  const isApplied = deployment.version === target;
  if (failedVersion !== undefined) {
    const why = `Version ${failedVersion} did not serve${failure === undefined ? '' : ` (${failure})`}`;
    const next = 'Change the spec to try again.';
    return target !== wanted && isApplied && isComplete
      ? {
          ...{ status: 'False', reason: 'RolledBack' },
          message: `${why}, so version ${target} serves again. ${next}`,
        }
      : {
          ...{ status: 'False', reason: 'RollingBack' },
          message: `${why}: returning to the last version that did.`,
        };
  }
  const failsNow = isApplied ? failureNow(input) : undefined;
  if (failsNow !== undefined) {
    const message = `Version ${target} does not serve (${failsNow}), and there is none to return to.`;
    const reason = deadlineExceeded === undefined ? 'PodsFailing' : 'DeadlineExceeded';
    return { status: 'False', reason, message };
  }
  if (isApplied && isScaledToZero) {
    return { status: 'True', reason: 'ScaledToZero', message: `Version ${target} has no engines.` };
  }
  if (isApplied && isComplete) {
    return { status: 'True', reason: 'VersionServed', message: `Version ${target} serves.` };
  }
  return { status: 'True', reason: 'RollingOut', message: `Version ${wanted}: ${text}` };
}
