// From what a user wrote and what is in the cluster to what must be done. Pure and level-triggered: it does not ask what
// has changed, and the same input gives the same actions, so a lost event or a second run does no harm.
import type { z } from 'zod';
import { cacheServerObjects } from './cache-server-objects.ts';
import type { EnginePod } from './engine-pod.ts';
import {
  type KubernetesObject,
  type ObjectReference,
  type Owner,
  referenceTo,
} from './kubernetes-object.ts';
import { type Conflict, claimed, conflictMessage, isMadeFor } from './ownership.ts';
import { eventsOf, type ResourceEvent } from './resource-events.ts';
import { type Kind, type RouterSpec, type RuntimeSpec, specs } from './resources.ts';
import { type RuntimeRollout, rolledOut } from './rollout/runtime-rollout.ts';
import { routerObjects } from './router-objects.ts';
import { runtimeObjects } from './runtime-objects.ts';
import { type ScalingCondition, scalingSettings } from './scaling/scaling.ts';
import {
  type Condition,
  invalidStatus,
  type Progress,
  progressOf,
  statusChange,
  withCondition,
} from './status.ts';

/** A kind whose resources become Kubernetes objects. Adapters become calls of engines instead. */
export type DeployedKind = Exclude<Kind, 'LoraAdapter'>;

export const deployedKinds: readonly DeployedKind[] = ['VLLMRuntime', 'VLLMRouter', 'CacheServer'];

/** A resource as the API server has it. */
export interface Resource extends Owner {
  readonly kind: DeployedKind;
  readonly spec?: unknown;
  readonly status?: unknown;
}

export interface Observed {
  /** Objects that this resource owns, and those of others that have the names that it would give. */
  readonly objects: readonly KubernetesObject[];
  /** VLLMRuntime: its pods. @default none are known */
  readonly pods?: readonly EnginePod[];
  /** VLLMRuntime with the built-in scaler: what it last said. @default what the status says */
  readonly scaling?: ScalingCondition | undefined;
  /** VLLMRouter: ready engines that its selector finds. */
  readonly activeRuntimes?: number;
  /** RFC 3339. */
  readonly now: string;
  /** What the API server refused when it was last applied. */
  readonly refusal?: string | undefined;
}

export interface Reconciled {
  /** To apply, in this order. */
  readonly apply: readonly KubernetesObject[];
  readonly remove: readonly ObjectReference[];
  /** The whole status, if it differs from the present one. */
  readonly status: Readonly<Record<string, unknown>> | undefined;
  /** What is new in it, for `kubectl describe`; to record when the status is written. */
  readonly events: readonly ResourceEvent[];
  /** Objects of others that are in the way. @default none */
  readonly conflicts?: readonly Conflict[];
}

export function reconcile(resource: Resource, observed: Observed): Reconciled {
  const { metadata, kind } = resource;
  // What Kubernetes deletes goes with its owner.
  if (metadata.deletionTimestamp !== undefined) {
    return { apply: [], remove: [], status: undefined, events: [] };
  }
  const parsed = specs[kind].safeParse(resource.spec);
  if (!parsed.success) {
    const status = invalidStatus(resource, parsed.error, observed.now);
    return { apply: [], remove: [], ...written(resource, status, observed.now) };
  }
  const own = observed.objects.filter((one) => isMadeFor(one, resource));
  const deployment = own.find((one) => one.kind === 'Deployment');
  const objects = desiredObjects(resource, parsed.data, selectorOf(deployment));
  const rollout =
    kind === 'VLLMRuntime'
      ? rolledOut(resource, parsed.data as RuntimeSpec, objects, own, observed.pods ?? [])
      : undefined;
  const wanted = rollout?.objects ?? objects;
  const account = 'serviceAccountName' in parsed.data ? parsed.data.serviceAccountName : undefined;
  const { free, conflicts } = claimed(resource, wanted, observed.objects, account);
  const apply = free.filter((object) => !isKept(object, own));
  const remove = own
    .filter((object) => object.kind !== 'PersistentVolumeClaim')
    .map((object) => referenceTo(object, metadata.namespace))
    .filter(
      (one) =>
        !wanted.some(({ kind, metadata: { name } }) => kind === one.kind && name === one.name),
    );
  const status = nextStatus(resource, parsed.data, { ...observed, conflicts }, deployment, rollout);
  return { apply, remove, ...written(resource, status, observed.now), conflicts };
}

/** The status, if it is to be written, and what it has to tell. */
function written(
  resource: Resource,
  next: Readonly<Record<string, unknown>>,
  now: string,
): Pick<Reconciled, 'status' | 'events'> {
  const status = statusChange(resource, next, now);
  return { status, events: status === undefined ? [] : eventsOf(resource.status, status) };
}

type Spec = z.infer<(typeof specs)[DeployedKind]>;

function desiredObjects(
  owner: Resource,
  spec: Spec,
  selector: Readonly<Record<string, string>> | undefined,
): readonly KubernetesObject[] {
  switch (owner.kind) {
    case 'VLLMRuntime':
      return runtimeObjects(owner, spec as RuntimeSpec, selector);
    case 'VLLMRouter':
      return routerObjects(owner, spec as RouterSpec, selector);
    case 'CacheServer':
      return cacheServerObjects(owner, spec as Parameters<typeof cacheServerObjects>[1], selector);
  }
}

function selectorOf(
  deployment: KubernetesObject | undefined,
): Readonly<Record<string, string>> | undefined {
  const spec = deployment?.['spec'] as
    | { readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> } }
    | undefined;
  return spec?.selector?.matchLabels;
}

/**
 * A volume that exists stays as it is, except that it may grow: nothing else of it can be changed. A revision has its content
 * in its name.
 */
function isKept(object: KubernetesObject, observed: readonly KubernetesObject[]): boolean {
  const found = observed.find(
    ({ kind, metadata }) => kind === object.kind && metadata.name === object.metadata.name,
  );
  if (object.kind === 'ControllerRevision') return found !== undefined;
  if (object.kind !== 'PersistentVolumeClaim') return false;
  return found !== undefined && storageOf(found) === storageOf(object);
}

function storageOf(claim: KubernetesObject): unknown {
  const spec = claim['spec'] as {
    readonly resources?: { readonly requests?: { readonly storage?: unknown } };
  };
  return spec.resources?.requests?.storage;
}

const scalingType = 'Scaling';
const conflictType = 'Conflict';

/** What was observed, and what it means for the objects of the resource. */
interface Judged extends Observed {
  readonly conflicts: readonly Conflict[];
}

function nextStatus(
  resource: Resource,
  spec: Spec,
  observed: Judged,
  deployment: KubernetesObject | undefined,
  rollout: RuntimeRollout | undefined,
): Readonly<Record<string, unknown>> {
  const isOff = resource.kind === 'VLLMRouter' && !(spec as RouterSpec).enableRouter;
  const replicas =
    'deploymentConfig' in spec ? spec.deploymentConfig.replicas : isOff ? 0 : spec.replicas;
  const progress = isOff ? undefined : progressOf(deployment, replicas);
  const ready = readyCondition(resource, observed, progress);
  const before = (resource.status ?? {}) as { readonly conditions?: readonly Condition[] };
  const observedGeneration = resource.metadata.generation ?? 0;
  const known = before.conditions ?? [];
  const hasScaler = scalingSettings(resource) !== undefined;
  const kept = hasScaler ? known : known.filter(({ type }) => type !== scalingType);
  const scaling = hasScaler ? observed.scaling : undefined;
  const others =
    scaling === undefined
      ? kept
      : withCondition(kept, { type: scalingType, observedGeneration, ...scaling }, observed.now);
  const conditions = withConflicts(
    withCondition(others, ready, observed.now),
    { observedGeneration, conflicts: observed.conflicts },
    observed.now,
  );
  const shared = { observedGeneration, conditions };
  const readiness = progress?.readiness ?? 'Ready';
  if (resource.kind !== 'VLLMRuntime') {
    const { activeRuntimes } = observed;
    const active =
      resource.kind === 'VLLMRouter' && activeRuntimes !== undefined ? { activeRuntimes } : {};
    return { status: readiness, ...active, ...shared };
  }
  const selector = Object.entries(selectorOf(deployment) ?? {});
  return {
    modelStatus: readiness,
    replicas: progress?.replicas ?? 0,
    availableReplicas: progress?.availableReplicas ?? 0,
    updatedReplicas: progress?.updatedReplicas ?? 0,
    unavailableReplicas: progress?.unavailableReplicas ?? 0,
    selector: selector.map(([key, value]) => `${key}=${value}`).join(','),
    ...shared,
    ...(rollout && {
      rollout: rollout.state,
      conditions: withCondition(
        conditions,
        { type: 'Progressing', observedGeneration, ...rollout.condition },
        observed.now,
      ),
    }),
  };
}

/** The condition is there only while there are conflicts. */
function withConflicts(
  conditions: readonly Condition[],
  {
    conflicts,
    observedGeneration,
  }: Pick<Judged, 'conflicts'> & Pick<Condition, 'observedGeneration'>,
  now: string,
): readonly Condition[] {
  if (conflicts.length === 0) return conditions.filter(({ type }) => type !== conflictType);
  const reason = conflicts.every(({ isUsed }) => isUsed) ? 'ForeignAccount' : 'ObjectExists';
  const message = conflictMessage(conflicts);
  const condition = { type: conflictType, status: 'True', reason, message, observedGeneration };
  return withCondition(conditions, condition as Omit<Condition, 'lastTransitionTime'>, now);
}

function readyCondition(
  { metadata }: Resource,
  { refusal, conflicts }: Judged,
  progress: Progress | undefined,
): Omit<Condition, 'lastTransitionTime'> {
  const observedGeneration = metadata.generation ?? 0;
  const base = { type: 'Ready', observedGeneration };
  if (refusal !== undefined) {
    return { ...base, status: 'False', reason: 'Refused', message: refusal };
  }
  const inTheWay = conflicts.filter(({ isUsed }) => !isUsed);
  if (inTheWay.length > 0) {
    return { ...base, status: 'False', reason: 'Conflict', message: conflictMessage(inTheWay) };
  }
  if (progress === undefined) {
    return { ...base, status: 'True', reason: 'Disabled', message: 'enableRouter is false.' };
  }
  const { readiness, reason, message } = progress;
  const status = readiness === 'Ready' ? 'True' : readiness === 'Unknown' ? 'Unknown' : 'False';
  return { ...base, status, reason, message };
}
