// The objects of a runtime with the version that it is to run, and what its status says of the rollout.
import { type EnginePod, failureOfVersion, waitOfVersion } from '../engine-pod.ts';
import type { KubernetesObject, Owner } from '../kubernetes-object.ts';
import type { RuntimeSpec } from '../resources.ts';
import { deploymentProgress } from './deployment-progress.ts';
import { versionOf, withVersion } from './engine-version.ts';
import { planRollout, type RolloutCondition, type RolloutState } from './rollout.ts';
import { findRevision, servedRevision } from './served-revision.ts';

export interface RuntimeRollout {
  readonly objects: readonly KubernetesObject[];
  readonly state: RolloutState;
  readonly condition: RolloutCondition;
}

/**
 * @param objects Those of the spec.
 * @param observed Those of the cluster.
 * @param pods Of the runtime.
 */
export function rolledOut(
  owner: Owner & { readonly status?: unknown },
  spec: RuntimeSpec,
  objects: readonly KubernetesObject[],
  observed: readonly KubernetesObject[],
  pods: readonly EnginePod[],
): RuntimeRollout {
  const { rollout: before } = (owner.status ?? {}) as { readonly rollout?: RolloutState };
  const { replicas, rollout: settings } = spec.deploymentConfig;
  const wanted = versionOf(objects);
  const served = findRevision(owner, observed, before?.servedVersion);
  const deployment = observed.find(({ kind }) => kind === 'Deployment');
  const { target, state, condition } = planRollout({
    ...{ wanted: wanted.hash, before, rollBack: settings.rollBack },
    podFailure: failureOfVersion(pods, wanted.hash),
    podWait: waitOfVersion(pods, wanted.hash),
    deployment: deploymentProgress(deployment, replicas),
    hasServed: served !== undefined,
  });
  const runs = target === served?.version.hash ? served.version : wanted;
  const revisions = [
    // Until the status names another one.
    ...(served === undefined ? [] : [servedRevision(owner, served.version)]),
    ...(state.servedVersion === wanted.hash && served?.version.hash !== wanted.hash
      ? [servedRevision(owner, wanted)]
      : []),
  ];
  return { objects: [...withVersion(objects, runs), ...revisions], state, condition };
}
