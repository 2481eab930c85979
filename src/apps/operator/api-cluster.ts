// The cluster behind an API server.
import {
  type KubernetesObject,
  type LeaseSpec,
  listPath,
  type ObjectReference,
  objectPath,
} from '../../core/operator/index.ts';
import { ApiStatusError, apiSend, type ClusterAccess, listAll } from '../../io/kubernetes/index.ts';
import {
  type AdapterCluster,
  ChangedMeanwhileError,
  type ClusterWriter,
  type ScalingCluster,
} from './cluster.ts';
import type { LeaseStore } from './leader-election.ts';

/** Owner of the fields that the operator applies. */
const fieldManager = 'spillway-operator';

/**
 * A version that no object has, since the first one that is written is the second of etcd: applying with it fails if there is an
 * object, and otherwise makes one.
 *
 * @see https://etcd.io/docs/v3.6/learning/data_model/
 */
const versionOfNothing = '1';

/** An event's message is at most 1 KB. */
const eventMessageCharactersMax = 1_000;

export function apiCluster(access: ClusterAccess): ClusterWriter & AdapterCluster & ScalingCluster {
  return {
    read: (reference) =>
      unlessMissing(async () => {
        const text = await apiSend(access, { method: 'GET', path: objectPath(reference) });
        return JSON.parse(text) as KubernetesObject;
      }),
    apply: async (object, uid) => {
      const { apiVersion, kind, metadata } = object;
      const reference = {
        apiVersion,
        kind,
        namespace: metadata.namespace ?? '',
        name: metadata.name,
      };
      const held = uid === undefined ? { resourceVersion: versionOfNothing } : { uid };
      const call = apiSend(access, {
        method: 'PATCH',
        // Fields that upstream's operator, Helm or a person has set otherwise become the operator's.
        path: `${objectPath(reference)}?fieldManager=${fieldManager}&force=true`,
        contentType: 'application/apply-patch+yaml',
        body: JSON.stringify({ ...object, metadata: { ...metadata, ...held } }),
      });
      const text = await call.catch(changedMeanwhile);
      return JSON.parse(text) as KubernetesObject;
    },
    remove: async (reference, uid) => {
      const options = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } };
      await unlessMissing(() =>
        apiSend(access, {
          method: 'DELETE',
          path: `${objectPath(reference)}?propagationPolicy=Background`,
          ...{ contentType: 'application/json', body: JSON.stringify(options) },
        }).catch(changedMeanwhile),
      );
    },
    setStatus: (reference, status) =>
      unlessMissing(async () => {
        const text = await apiSend(access, {
          method: 'PATCH',
          path: `${objectPath(reference)}/status?fieldManager=${fieldManager}`,
          contentType: 'application/merge-patch+json',
          body: JSON.stringify({ status }),
        });
        return (JSON.parse(text) as KubernetesObject).metadata.resourceVersion ?? '';
      }),
    list: async ({ kind, apiVersion, namespace, labelSelector }) => {
      const path = listPath(kind, apiVersion, namespace);
      const items =
        (await unlessMissing(() => listAll<KubernetesObject>(access, { path, labelSelector }))) ??
        [];
      // Items of a list do not say what they are.
      return items.map((item) => ({ ...item, apiVersion, kind }));
    },
    setScale: async (reference, replicas) => {
      await unlessMissing(() =>
        apiSend(access, {
          method: 'PATCH',
          path: `${objectPath(reference)}/scale?fieldManager=${fieldManager}`,
          contentType: 'application/merge-patch+json',
          body: JSON.stringify({ spec: { replicas } }),
        }),
      );
    },
    setFinalizers: async (reference, finalizers, { resourceVersion }) => {
      await unlessMissing(() =>
        mergePatch(access, reference, { metadata: { finalizers, resourceVersion } }),
      );
    },
    annotate: async (reference, annotations) => {
      await unlessMissing(() => mergePatch(access, reference, { metadata: { annotations } }));
    },
    secret: (namespace, { name, key }) =>
      unlessMissing(async () => {
        const path = objectPath({ apiVersion: 'v1', kind: 'Secret', namespace, name });
        const { data } = JSON.parse(await apiSend(access, { method: 'GET', path })) as {
          readonly data?: Readonly<Record<string, string>>;
        };
        const value = data?.[key];
        return value === undefined ? undefined : Buffer.from(value, 'base64').toString().trim();
      }),
    record: async ({ apiVersion, kind, metadata }, { type, reason, message }) => {
      const { namespace, name, uid } = metadata;
      const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
      const event = {
        ...{ apiVersion: 'v1', kind: 'Event', metadata: { generateName: `${name}.`, namespace } },
        involvedObject: { apiVersion, kind, namespace, name, uid },
        ...{ type, reason, message: message.slice(0, eventMessageCharactersMax) },
        ...{ source: { component: fieldManager }, reportingComponent: fieldManager, count: 1 },
        ...{ firstTimestamp: now, lastTimestamp: now },
      };
      await apiSend(access, {
        method: 'POST',
        path: listPath('Event', 'v1', namespace),
        ...{ contentType: 'application/json', body: JSON.stringify(event) },
      }).catch(() => {
        // The condition says the same.
      });
    },
  };
}

function mergePatch(
  access: ClusterAccess,
  reference: ObjectReference,
  patch: object,
): Promise<string> {
  return apiSend(access, {
    method: 'PATCH',
    path: `${objectPath(reference)}?fieldManager=${fieldManager}`,
    contentType: 'application/merge-patch+json',
    body: JSON.stringify(patch),
  });
}

const leaseVersion = 'coordination.k8s.io/v1';

export function apiLease(access: ClusterAccess, namespace: string, name: string): LeaseStore {
  const list = listPath('Lease', leaseVersion, namespace);
  const path = `${list}/${name}`;
  return {
    read: () =>
      unlessMissing(async () => {
        const { spec, metadata } = JSON.parse(
          await apiSend(access, { method: 'GET', path }),
        ) as KubernetesObject & { readonly spec?: LeaseSpec };
        return { ...(spec && { spec }), resourceVersion: metadata.resourceVersion ?? '' };
      }),
    write: async (spec, resourceVersion) => {
      const metadata = { name, namespace, ...(resourceVersion && { resourceVersion }) };
      const body = JSON.stringify({ apiVersion: leaseVersion, kind: 'Lease', metadata, spec });
      const request = resourceVersion
        ? ({ method: 'PUT', path } as const)
        : ({ method: 'POST', path: list } as const);
      try {
        await apiSend(access, { ...request, contentType: 'application/json', body });
        return true;
      } catch (error) {
        // Somebody else was faster.
        if (error instanceof ApiStatusError && error.status === 409) return false;
        throw error;
      }
    },
  };
}

/** @throws {ChangedMeanwhileError} If a condition of the request does not hold: status 409, or 422 for the uid of another object. */
function changedMeanwhile(cause: unknown): never {
  if (!(cause instanceof ApiStatusError)) throw cause;
  const isAnother = cause.status === 422 && cause.message.includes(': metadata.uid: ');
  if (cause.status !== 409 && !isAnother) throw cause;
  throw new ChangedMeanwhileError(`the object has changed since it was read (${cause.message})`, {
    cause,
  });
}

/** @returns Undefined if the API server has no such object, or no such kind. */
async function unlessMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApiStatusError && error.status === 404) return undefined;
    throw error;
  }
}
