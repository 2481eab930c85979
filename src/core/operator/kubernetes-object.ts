// What the operator reads from and writes to the Kubernetes API, as plain data.

export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly uid?: string;
  readonly generation?: number;
  readonly resourceVersion?: string;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller: boolean;
  readonly blockOwnerDeletion: boolean;
}

/** Any object of the API. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly [field: string]: unknown;
}

/** A resource of one of the operator's kinds, as read. */
export interface Owner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata & { readonly namespace: string; readonly uid: string };
}

/** Names an object. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export function referenceTo(object: KubernetesObject, namespace: string): ObjectReference {
  const { apiVersion, kind, metadata } = object;
  return { apiVersion, kind, namespace: metadata.namespace ?? namespace, name: metadata.name };
}

/** Label of everything that the operator makes, by which it follows these objects and no others. */
const managedByLabel = { 'app.kubernetes.io/managed-by': 'spillway-operator' };
export const managedBy = 'app.kubernetes.io/managed-by=spillway-operator';

/** Metadata of an object that Kubernetes deletes with its owner. */
export function ownedMetadata(
  owner: Owner,
  name: string,
  labels?: Readonly<Record<string, string>>,
): Metadata {
  const { apiVersion, kind, metadata } = owner;
  return {
    name,
    namespace: metadata.namespace,
    labels: { ...labels, ...managedByLabel },
    ownerReferences: [
      {
        ...{ apiVersion, kind, name: metadata.name, uid: metadata.uid },
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  };
}

/** A copy without keys whose value is undefined, an empty list or an empty map: an applied field is owned. */
export function compact<T extends object>(object: T): T {
  return Object.fromEntries(
    Object.entries(object).filter(([, value]) => {
      if (value === undefined) return false;
      return typeof value !== 'object' || value === null || Object.keys(value).length > 0;
    }),
  ) as T;
}
