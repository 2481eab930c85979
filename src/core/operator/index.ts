// The operator's decisions: what a resource becomes in the cluster. Pure: objects in, objects and actions out.
export {
  type AdapterPod,
  adapterPodObject,
  modelLabel,
} from './adapters/adapter-pod.ts';
export {
  apiKeyOf,
  credentialsOf,
  podsToAsk,
  type SecretKey,
} from './adapters/adapter-secrets.ts';
export type {
  AdapterAction,
  AdapterCard,
  AdapterResource,
  Attempt,
  PodReport,
} from './adapters/contract.ts';
export { planAdapters } from './adapters/plan.ts';
export { followedKinds, listPath, objectPath } from './api-paths.ts';
export { crds } from './crds.ts';
export { type EnginePod, enginePodObject } from './engine-pod.ts';
export {
  type KubernetesObject,
  managedBy,
  type ObjectReference,
  type Owner,
  referenceTo,
} from './kubernetes-object.ts';
export { Leadership, type LeaseSpec, renewSeconds, retrySeconds } from './leadership.ts';
export { healthPort, manifests } from './manifests.ts';
export { isMadeFor } from './ownership.ts';
export { podUrl } from './pod-address.ts';
export { deployedKinds, type Observed, type Resource, reconcile } from './reconcile.ts';
export { activeRuntimes, ownedBy, podsOf, runtimesOfPod } from './relations.ts';
export type { ResourceEvent } from './resource-events.ts';
export { apiVersion, group } from './resources.ts';
export { versionLabel } from './rollout/engine-version.ts';
export { FleetMeter, type MeteredPod } from './scaling/fleet-meter.ts';
export {
  conflictCondition,
  conflictOf,
  decisionCondition,
  routerSelectors,
  type ScalingCondition,
  type ScalingSettings,
  scalersToAvoid,
  scalingSettings,
  unavailableCondition,
} from './scaling/scaling.ts';
export { WorkQueue } from './work-queue.ts';
