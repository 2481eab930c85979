// The built-in scaler of a runtime: its settings, who else scales the same engines, and what the status says of it.
import type { ServiceLevelScalerOptions } from '../../scaler/index.ts';
import type { EnginePod } from '../engine-pod.ts';
import type { KubernetesObject, ObjectReference, Owner } from '../kubernetes-object.ts';
import { specs } from '../resources.ts';
import { servedModelName } from '../scaled-object.ts';
import { matchesSelector } from '../selector.ts';

export interface ScalingSettings {
  readonly replicas: number;
  /** Name under which clients ask for the model. */
  readonly model: string;
  readonly scaler: ServiceLevelScalerOptions;
  /** Interval between two looks. */
  readonly lookSeconds: number;
  readonly routerLabelSelector: string | undefined;
}

/** What the status says in its condition `Scaling`. */
export interface ScalingCondition {
  readonly status: 'True' | 'False';
  readonly reason:
    | 'AsNeeded'
    | 'ScaledUp'
    | 'ScaledDown'
    | 'MetricsUnavailable'
    | 'ConflictingScaler';
  readonly message: string;
}

/** With no engine, a request waits for the next look. */
const wakeSeconds = 2;

/** @returns Undefined if it is off, the resource is being deleted, or its spec cannot be read. */
export function scalingSettings(
  resource: Owner & { readonly spec?: unknown },
): ScalingSettings | undefined {
  if (resource.kind !== 'VLLMRuntime' || resource.metadata.deletionTimestamp !== undefined) {
    return undefined;
  }
  const { success, data: spec } = specs.VLLMRuntime.safeParse(resource.spec);
  const config = success ? spec.autoscalingConfig : undefined;
  if (!success || !config?.enabled || config.scaler !== 'built-in') return undefined;
  const { builtIn, minReplicas: min, maxReplicas: max, pollingInterval } = config;
  if (builtIn === undefined) return undefined;
  const { replicas } = spec.deploymentConfig;
  const { routerLabelSelector, downSeconds, ...scaler } = builtIn;
  return {
    replicas,
    model: servedModelName(spec),
    scaler: { ...scaler, ...(downSeconds !== undefined && { downSeconds }), bounds: { min, max } },
    lookSeconds: replicas === 0 ? Math.min(wakeSeconds, pollingInterval) : pollingInterval,
    routerLabelSelector,
  };
}

/**
 * Selectors of the pods of the routers that send requests to a runtime.
 *
 * @param routers VLLMRouters of its namespace.
 * @param pods Those of the runtime. Without one, its labels are those that its pods would have.
 */
export function routerSelectors(
  runtime: Owner,
  { routerLabelSelector }: ScalingSettings,
  routers: Iterable<KubernetesObject>,
  pods: readonly EnginePod[],
): readonly string[] {
  if (routerLabelSelector !== undefined) return [routerLabelSelector];
  const { name, labels } = runtime.metadata;
  const found = pods[0]?.labels ?? { app: name, ...labels };
  return Array.from(routers)
    .filter(({ spec }) => {
      const { k8sLabelSelector } = (spec ?? {}) as { readonly k8sLabelSelector?: string };
      return k8sLabelSelector && matchesSelector(found, k8sLabelSelector);
    })
    .map(({ metadata }) => `app=${metadata.labels?.['app'] ?? metadata.name}`);
}

/**
 * Finds another scaler of the same engines: two would undo each other's work.
 *
 * @param scalers HorizontalPodAutoscalers and ScaledObjects of the namespace.
 * @returns Its kind and name.
 */
export function conflictOf(
  runtime: Owner,
  scalers: readonly KubernetesObject[],
): string | undefined {
  const { name, uid } = runtime.metadata;
  const other = scalers.find(({ spec, metadata }) => {
    const { scaleTargetRef: target } = (spec ?? {}) as {
      readonly scaleTargetRef?: { readonly kind?: string; readonly name?: string };
    };
    // KEDA's default kind is a Deployment, which the runtime's has the same name as.
    const isOurs = ['VLLMRuntime', 'Deployment'].includes(target?.kind ?? 'Deployment');
    // What the operator has made for another `scaler` is about to go.
    const isGoing = metadata.ownerReferences?.some((owner) => owner.uid === uid) === true;
    return isOurs && target?.name === name && !isGoing;
  });
  return other === undefined ? undefined : `${other.kind} ${other.metadata.name}`;
}

export function conflictCondition(other: string): ScalingCondition {
  return {
    ...{ status: 'False', reason: 'ConflictingScaler' },
    message: `${other} scales this runtime, too, so the built-in scaler does nothing: delete it, or set autoscalingConfig.enabled to false.`,
  };
}

export function unavailableCondition(why: string): ScalingCondition {
  return {
    ...{ status: 'False', reason: 'MetricsUnavailable' },
    message: `The number of engines stays, since nothing can be read: ${why}.`,
  };
}

/** What was decided; the same text until the next decision, so that the status is not written at each look. */
export function decisionCondition(from: number, to: number, why: string): ScalingCondition {
  if (from === to) return { status: 'True', reason: 'AsNeeded', message: 'As many as are needed.' };
  const reason = to > from ? 'ScaledUp' : 'ScaledDown';
  return { status: 'True', reason, message: `${from} → ${to} engines: ${why}.` };
}

export const scalersToAvoid: readonly Pick<ObjectReference, 'kind' | 'apiVersion'>[] = [
  { kind: 'HorizontalPodAutoscaler', apiVersion: 'autoscaling/v2' },
  { kind: 'ScaledObject', apiVersion: 'keda.sh/v1alpha1' },
];
