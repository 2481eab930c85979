// Where the API server has objects of a kind.

import { pluralOf } from './crds.ts';
import type { ObjectReference } from './kubernetes-object.ts';
import { type Kind, specs } from './resources.ts';

/** Kinds that the operator makes. */
const madeKinds: ReadonlyMap<string, { readonly apiVersion: string; readonly plural: string }> =
  new Map([
    ['Service', { apiVersion: 'v1', plural: 'services' }],
    ['PersistentVolumeClaim', { apiVersion: 'v1', plural: 'persistentvolumeclaims' }],
    ['ConfigMap', { apiVersion: 'v1', plural: 'configmaps' }],
    ['ServiceAccount', { apiVersion: 'v1', plural: 'serviceaccounts' }],
    ['Deployment', { apiVersion: 'apps/v1', plural: 'deployments' }],
    ['ControllerRevision', { apiVersion: 'apps/v1', plural: 'controllerrevisions' }],
    ['PodDisruptionBudget', { apiVersion: 'policy/v1', plural: 'poddisruptionbudgets' }],
    ['Role', { apiVersion: 'rbac.authorization.k8s.io/v1', plural: 'roles' }],
    ['RoleBinding', { apiVersion: 'rbac.authorization.k8s.io/v1', plural: 'rolebindings' }],
    [
      'HorizontalPodAutoscaler',
      { apiVersion: 'autoscaling/v2', plural: 'horizontalpodautoscalers' },
    ],
    ['ScaledObject', { apiVersion: 'keda.sh/v1alpha1', plural: 'scaledobjects' }],
  ]);

/** Kinds of objects that the operator makes and follows, with the version of their API. */
export const followedKinds: readonly { readonly kind: string; readonly apiVersion: string }[] =
  Array.from(madeKinds, ([kind, { apiVersion }]) => ({ kind, apiVersion }));

/** The path of all objects of a kind, in one namespace or in all. */
export function listPath(kind: string, version: string, namespace?: string): string {
  const root = version.includes('/') ? `/apis/${version}` : `/api/${version}`;
  const within = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  const plural =
    kind in specs
      ? pluralOf(kind as Kind)
      : (madeKinds.get(kind)?.plural ?? `${kind.toLowerCase()}s`);
  return `${root}${within}/${plural}`;
}

export function objectPath({
  kind,
  apiVersion: version,
  namespace,
  name,
}: ObjectReference): string {
  return `${listPath(kind, version, namespace)}/${encodeURIComponent(name)}`;
}
