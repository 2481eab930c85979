// A version that has served, kept in the cluster as a ControllerRevision, Kubernetes' object for what can be returned to:
// the operator may be another one, or newer, when it is needed.
import { type KubernetesObject, type Owner, ownedMetadata } from '../kubernetes-object.ts';
import type { EngineVersion } from './engine-version.ts';

export function servedRevision(owner: Owner, version: EngineVersion): KubernetesObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: ownedMetadata(owner, revisionName(owner, version.hash)),
    data: version,
    revision: 1,
  };
}

/** @returns Undefined if it is not there, or cannot be read. */
export function findRevision(
  owner: Owner,
  objects: readonly KubernetesObject[],
  hash: string | undefined,
): { readonly object: KubernetesObject; readonly version: EngineVersion } | undefined {
  if (hash === undefined) return undefined;
  const name = revisionName(owner, hash);
  const object = objects.find(
    ({ kind, metadata }) => kind === 'ControllerRevision' && metadata.name === name,
  );
  const version = object?.['data'] as EngineVersion | undefined;
  return object !== undefined && version?.hash === hash ? { object, version } : undefined;
}

function revisionName({ metadata }: Owner, hash: string): string {
  return `${metadata.name}-${hash}`;
}
