// What the operator does to a cluster.
import type { KubernetesObject, ObjectReference } from '../../core/operator/index.ts';

export interface ClusterWriter {
  /** @returns Undefined if there is no such object, or no such kind. */
  read(reference: ObjectReference): Promise<KubernetesObject | undefined>;
  /**
   * Server-side apply: sets the fields that the object has, and removes those that the operator set before and the object no
   * longer has. Fields of others stay.
   *
   * @returns The object as it is now.
   */
  apply(object: KubernetesObject): Promise<KubernetesObject>;
  /** Removes an object, and what it owns afterwards; one that does not exist is removed. */
  remove(reference: ObjectReference): Promise<void>;
  /**
   * Sets the status of a resource.
   *
   * @returns The version of the resource after it; undefined if it is gone.
   */
  setStatus(reference: ObjectReference, status: object): Promise<string | undefined>;
}
