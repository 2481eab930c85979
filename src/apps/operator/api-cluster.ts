// The cluster behind an API server.
import {
  type KubernetesObject,
  type LeaseSpec,
  listPath,
  type ObjectReference,
  objectPath,
} from '../../core/operator/index.ts';
import { ApiStatusError, apiSend, type ClusterAccess } from '../../io/kubernetes/index.ts';
import type { AdapterCluster, ClusterWriter, ScalingCluster } from './cluster.ts';
import type { LeaseStore } from './leader-election.ts';

/** Owner of the fields that the operator applies. */
const fieldManager = 'spillway-operator';

/** Objects of a list that are read, without the ones after them. */
const listedMax = 500;

/** An event's message is at most 1 KB. */
const eventMessageCharactersMax = 1_000;

export function apiCluster(access: ClusterAccess): ClusterWriter & AdapterCluster & ScalingCluster {
  return {
    read: (reference) =>
      unlessMissing(async () => {
        const text = await apiSend(access, { method: 'GET', path: objectPath(reference) });
        return JSON.parse(text) as KubernetesObject;
      }),
    apply: async (object) => {
      const { apiVersion, kind, metadata } = object;
      const reference = {
        apiVersion,
        kind,
        namespace: metadata.namespace ?? '',
        name: metadata.name,
      };
      const text = await apiSend(access, {
        method: 'PATCH',
        // Fields that upstream's operator, Helm or a person has set otherwise become the operator's.
        path: `${objectPath(reference)}?fieldManager=${fieldManager}&force=true`,
        contentType: 'application/apply-patch+yaml',
        body: JSON.stringify(object),
      });
      return JSON.parse(text) as KubernetesObject;
    },
    remove: async (reference) => {
      await unlessMissing(() =>
        apiSend(access, {
          method: 'DELETE',
          path: `${objectPath(reference)}?propagationPolicy=Background`,
        }),
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
      const query = new URLSearchParams({
        limit: String(listedMax),
        ...(labelSelector !== undefined && { labelSelector }),
      });
      const path = `${listPath(kind, apiVersion, namespace)}?${query}`;
      const text = await unlessMissing(() => apiSend(access, { method: 'GET', path }));
      const { items = [] } = JSON.parse(text ?? '{}') as {
        readonly items?: readonly KubernetesObject[];
      };
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

/** @returns Undefined if the API server has no such object, or no such kind. */
async function unlessMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApiStatusError && error.status === 404) return undefined;
    throw error;
  }
}
