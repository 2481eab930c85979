// What the operator does to a cluster.
import type {
  KubernetesObject,
  ObjectReference,
  Owner,
  ResourceEvent,
  SecretKey,
} from '../../core/operator/index.ts';

/** The cluster is no longer as it was when something was decided: it is to be decided anew. */
export class ChangedMeanwhileError extends Error {
  override readonly name = 'ChangedMeanwhileError';
}

export interface ClusterWriter {
  /** @returns Undefined if there is no such object, or no such kind. */
  read(reference: ObjectReference): Promise<KubernetesObject | undefined>;
  /**
   * Server-side apply: sets the fields that the object has, and removes those that the operator set before and the object no
   * longer has. Fields of others stay.
   *
   * @param uid Of the object that exists; undefined if there must be none yet.
   * @returns The object as it is now.
   * @throws {ChangedMeanwhileError} If another object has the name, or there is none with this uid.
   */
  apply(object: KubernetesObject, uid: string | undefined): Promise<KubernetesObject>;
  /**
   * Removes an object, and what it owns afterwards; one that does not exist is removed.
   *
   * @param uid Of the object.
   * @throws {ChangedMeanwhileError} If another object has the name.
   */
  remove(reference: ObjectReference, uid: string | undefined): Promise<void>;
  /**
   * Sets the status of a resource.
   *
   * @returns The version of the resource after it; undefined if it is gone.
   */
  setStatus(reference: ObjectReference, status: object): Promise<string | undefined>;
  /** Records an event of a resource. A failure is not one of the work. */
  record(resource: Owner, event: ResourceEvent): Promise<void>;
}

/** What the built-in scaler does to a cluster. */
export interface ScalingCluster extends Pick<ClusterWriter, 'record'> {
  /** Objects of a kind in a namespace, from all pages of the list; none if the API server does not know the kind. */
  list(of: {
    readonly kind: string;
    readonly apiVersion: string;
    readonly namespace: string;
    readonly labelSelector?: string;
  }): Promise<readonly KubernetesObject[]>;
  /** Sets the replicas of a resource by its scale subresource. */
  setScale(reference: ObjectReference, replicas: number): Promise<void>;
}

/** What the operator does to a cluster for adapters. */
export interface AdapterCluster extends Pick<ClusterWriter, 'setStatus' | 'record'> {
  /** Replaces the finalizers of a resource, unless it has changed since it was read. */
  setFinalizers(
    reference: ObjectReference,
    finalizers: readonly string[],
    read: { readonly resourceVersion?: string },
  ): Promise<void>;
  /** @returns Undefined if there is no such secret, or no such key in it. */
  secret(namespace: string, secret: SecretKey): Promise<string | undefined>;
  /** Sets annotations of an object that may be gone. */
  annotate(
    reference: ObjectReference,
    annotations: Readonly<Record<string, string>>,
  ): Promise<void>;
}
