// A scripted API server that keeps what it is given, as a cluster does: apply, status, delete, and versions that conflict.
import { isDeepStrictEqual } from 'node:util';
import {
  type ObjectRequest,
  type ObjectResponse,
  type ScriptedApiServer,
  scriptedApiServer,
} from './scripted-api-server.ts';

interface Kept {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly generateName?: string;
    readonly finalizers?: readonly string[];
    readonly uid?: string;
    readonly generation?: number;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

export interface ScriptedCluster {
  readonly api: ScriptedApiServer;
  /** Changes so far, such as `PATCH deployments/a`. */
  readonly writes: string[];
  get(plural: string, name: string): Kept | undefined;
  /** Puts an object, as a person or another controller would. */
  put(plural: string, object: object): void;
  remove(plural: string, name: string): void;
}

const groups: Readonly<Record<string, string>> = {
  services: '/api/v1',
  configmaps: '/api/v1',
  serviceaccounts: '/api/v1',
  persistentvolumeclaims: '/api/v1',
  deployments: '/apis/apps/v1',
  roles: '/apis/rbac.authorization.k8s.io/v1',
  rolebindings: '/apis/rbac.authorization.k8s.io/v1',
  scaledobjects: '/apis/keda.sh/v1alpha1',
  pods: '/api/v1',
  secrets: '/api/v1',
  events: '/api/v1',
  leases: '/apis/coordination.k8s.io/v1',
};

/** For names of objects that are made with `generateName`. */
let generated = 0;

/** Objects of the namespace `default`. */
export async function scriptedCluster(t: {
  after(close: () => Promise<void>): void;
}): Promise<ScriptedCluster> {
  const api = await scriptedApiServer(t);
  const writes: string[] = [];
  const listOf = (plural: string) =>
    `${groups[plural] ?? '/apis/production-stack.vllm.ai/v1alpha1'}/namespaces/default/${plural}`;
  const get = (path: string, name: string) => api.get(path, name) as unknown as Kept | undefined;
  api.onObject = (request) => {
    const { method, path, name, subresource } = request;
    const plural = path.slice(path.lastIndexOf('/') + 1);
    const target = [plural, name, subresource].filter((part) => part !== undefined).join('/');
    if (method !== 'GET') writes.push(`${method} ${target}`);
    const { metadata } = (request.body === '' ? {} : JSON.parse(request.body)) as Partial<Kept>;
    return answer(api, request, get(path, name ?? metadata?.name ?? ''));
  };
  return {
    ...{ api, writes },
    get: (plural, name) => get(listOf(plural), name),
    put: (plural, object) => {
      const { metadata } = object as Kept;
      const { generation = 0, uid } = get(listOf(plural), metadata.name)?.metadata ?? {};
      const kept = { uid: `uid-${metadata.name}`, ...metadata, ...(uid && { uid }) };
      api.put(listOf(plural), {
        ...object,
        metadata: { ...kept, namespace: 'default', generation: generation + 1 },
      });
    },
    remove: (plural, name) => api.remove(listOf(plural), name),
  };
}

function answer(
  api: ScriptedApiServer,
  { method, path, name, subresource, contentType, body }: ObjectRequest,
  found: Kept | undefined,
): ObjectResponse {
  if (method === 'GET' || method === 'DELETE') {
    if (found === undefined || name === undefined) return status(404, 'not found');
    const { preconditions } = (body === '' ? {} : JSON.parse(body)) as {
      readonly preconditions?: { readonly uid?: string };
    };
    if (preconditions?.uid !== undefined && preconditions.uid !== found.metadata.uid) {
      return status(409, 'the UID in the precondition is not the one of the object');
    }
    if (method === 'DELETE') api.remove(path, name);
    return { status: 200, body: found };
  }
  const sent = JSON.parse(body) as Kept;
  const key = name ?? sent.metadata.name ?? `${sent.metadata.generateName}${generated++}`;
  const given = { ...sent, metadata: { ...sent.metadata, name: key } };
  if (subresource === 'status') {
    if (found === undefined) return status(404, 'not found');
    api.put(path, { ...found, status: { ...found.status, ...given.status } });
    return { status: 200, body: api.get(path, key) ?? {} };
  }
  if (method === 'POST' && found !== undefined) return status(409, 'already exists');
  const version = given.metadata.resourceVersion;
  // Apply makes what does not exist, whatever the version.
  const isApplied = contentType === 'application/apply-patch+yaml';
  const isNew = isApplied && found === undefined;
  if (version !== undefined && version !== found?.metadata.resourceVersion && !isNew) {
    return status(409, 'the object has been modified');
  }
  const { uid } = given.metadata;
  if (isApplied && uid !== undefined && uid !== found?.metadata.uid) {
    return found === undefined
      ? status(409, 'uid mismatch')
      : status(422, 'it is invalid: metadata.uid: Invalid value: field is immutable');
  }
  const isSame = found !== undefined && isDeepStrictEqual(found.spec, given.spec);
  if (isSame && method === 'PATCH') return { status: 200, body: found };
  const generation = (found?.metadata.generation ?? 0) + 1;
  const metadata = { uid: `uid-${key}`, ...found?.metadata, ...given.metadata, generation };
  api.put(path, { ...found, ...given, metadata });
  return { status: found === undefined ? 201 : 200, body: api.get(path, key) ?? {} };
}

function status(code: number, message: string): ObjectResponse {
  return { status: code, body: { kind: 'Status', code, message } };
}
