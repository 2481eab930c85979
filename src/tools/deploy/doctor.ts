// Looks for what keeps a stack from starting, in the cluster and on this machine, before or after it is deployed.
import { NoResponseError, SpillwayError } from '../../core/base/index.ts';
import {
  type Check,
  checkAccess,
  checkGpus,
  checkRights,
  checkRoom,
  checkStorage,
  podState,
  type Right,
  readNode,
  readPod,
  readRequests,
  type WantedEngine,
  wantedEngines,
} from '../../core/deploy/index.ts';
import { at } from '../../core/kubernetes/index.ts';
import { assertPortFree } from '../../io/processes/index.ts';
import type { Cluster } from './cluster.ts';
import { findMirror, mirrorVariable, namedMirror } from './find-mirror.ts';
import { findHelm } from './helm.ts';
import { http } from './http-answer.ts';
import { Registry } from './registry.ts';

export interface DoctorOptions {
  /** Undefined to check only this machine. */
  readonly cluster: Cluster | undefined;
  readonly namespace: string;
  /** Merged values; undefined if only the cluster is checked. */
  readonly values: unknown;
  /** HF_TOKEN, HF_ENDPOINT and SPILLWAY_REGISTRY_MIRROR. */
  readonly environment: NodeJS.ProcessEnv;
  /** Local ports that must be free: of router, Grafana and Prometheus. @default 8000, 3000, 9090 */
  readonly ports?: readonly number[] | undefined;
  /** Name or path of Helm. @default helm */
  readonly helm?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onCheck: (check: Check) => void;
}

/** Reviews that are sent at once. */
const reviewsAtOnce = 8;
const hubTimeoutMs = 15_000;

/** @throws {NoResponseError} If the cluster cannot be reached; what is checked on this machine comes before. */
export async function doctor(options: DoctorOptions): Promise<readonly Check[]> {
  const { cluster, namespace, values, onCheck } = options;
  const engines = wantedEngines(values);
  const checks: Check[] = [];
  const add = (check: Check) => {
    checks.push(check);
    onCheck(check);
  };
  add(await checkPorts(options.ports ?? [8000, 3000, 9090]));
  add(await checkHub(engines, options));
  add(await checkMirror(options));
  add(await checkHelm(options));
  const access = checkAccess(values);
  if (access !== undefined) add(access);
  if (cluster === undefined) {
    add(noCluster);
    return checks;
  }
  const version = await cluster.version();
  const { context, server } = cluster.access;
  const detail = `${context}, Kubernetes ${version} at ${server}`;
  add({ name: 'context', result: 'ok', detail, next: '' });
  add(checkRights(await rightsIn(cluster, namespace)));
  const classes = await cluster.listIfAllowed('/apis/storage.k8s.io/v1/storageclasses');
  add(checkStorage(classes, engines));
  const nodes = (await cluster.listIfAllowed('/api/v1/nodes'))?.map(readNode);
  const pods = (await cluster.listIfAllowed('/api/v1/pods'))?.map(readRequests);
  add(checkGpus(nodes, engines));
  add(checkRoom(nodes, pods, engines));
  add(await checkImages(cluster, namespace));
  return checks;
}

const noCluster: Check = {
  ...{ name: 'context', result: 'skipped' },
  detail: 'no kubeconfig names a cluster, so only this machine was checked',
  next: 'for a cluster, set KUBECONFIG or create one (docs/guide/clusters.md); "spillway up" needs none',
};

/** What the commands do in a namespace, by group of the API and resource. */
const objects: Readonly<Record<string, readonly string[]>> = {
  '': ['secrets', 'services', 'serviceaccounts', 'configmaps', 'persistentvolumeclaims'],
  apps: ['deployments'],
  'rbac.authorization.k8s.io': ['roles', 'rolebindings'],
  policy: ['poddisruptionbudgets'],
};
const others: readonly (readonly [verb: string, resource: string, subresource?: string])[] = [
  ['list', 'pods'],
  ['list', 'events'],
  ['get', 'pods', 'log'],
  ['get', 'services', 'proxy'],
  ['create', 'services', 'proxy'],
  ['create', 'pods', 'portforward'],
];

async function rightsIn(cluster: Cluster, namespace: string): Promise<readonly Right[]> {
  const wanted = [
    ...Object.entries(objects).flatMap(([group, resources]) =>
      resources.flatMap((resource) =>
        ['get', 'list', 'create', 'patch', 'delete'].map((verb) => ({ group, resource, verb })),
      ),
    ),
    ...others.map(([verb, resource, subresource]) => ({
      ...{ group: '', resource, verb },
      ...(subresource !== undefined && { subresource }),
    })),
  ];
  const rights: Right[] = [];
  for (let from = 0; from < wanted.length; from += reviewsAtOnce) {
    const reviews = wanted.slice(from, from + reviewsAtOnce).map(async (attributes) => {
      const text = await cluster.send({
        ...{ method: 'POST', contentType: 'application/json' },
        path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
        body: JSON.stringify({
          ...{ apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview' },
          spec: { resourceAttributes: { namespace, ...attributes } },
        }),
      });
      const { verb, resource, group } = attributes;
      const below = 'subresource' in attributes ? `/${attributes.subresource}` : '';
      const name = `${verb} ${resource}${below}${group === '' ? '' : `.${group}`}`;
      return { name, isAllowed: at(JSON.parse(text), 'status', 'allowed') === true };
    });
    rights.push(...(await Promise.all(reviews)));
  }
  return rights;
}

/** By the pods that are there: only a node can tell whether it may pull an image. */
async function checkImages(cluster: Cluster, namespace: string): Promise<Check> {
  const list = await cluster.listIfAllowed(
    `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`,
  );
  if (list === undefined || list.length === 0) {
    const detail =
      list === undefined
        ? `this user may not list the pods of ${namespace}`
        : `${namespace} has no pods yet; deploy and status report what cannot be pulled`;
    return { name: 'images', result: 'skipped', detail, next: '' };
  }
  const broken = list
    .map((pod) => podState(readPod(pod), []))
    .find(({ cause, health }) => cause === 'image' && health !== 'starting');
  if (broken === undefined) {
    const detail = `no pod of ${namespace} waits for an image that cannot be pulled`;
    return { name: 'images', result: 'ok', detail, next: '' };
  }
  const detail = `${broken.pod}: ${broken.reason}`;
  return { name: 'images', result: 'failed', detail, next: broken.next };
}

/** From this machine; the cluster may have other ways out. */
async function checkHub(
  engines: readonly WantedEngine[],
  { environment, signal }: DoctorOptions,
): Promise<Check> {
  const endpoint = (environment['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, '');
  const wanted = new Map(engines.flatMap(({ model, token }) => (model ? [[model, token]] : [])));
  const name = 'hugging face';
  if (wanted.size === 0) {
    return { name, result: 'skipped', detail: 'no model of the values is downloaded', next: '' };
  }
  const problems: string[] = [];
  for (const [model, token] of wanted) {
    const asked = `${endpoint}/${model}/resolve/main/config.json`;
    const apiKey = token || environment['HF_TOKEN']?.trim() || undefined;
    try {
      const { status } = await http({
        ...{ url: asked, method: 'GET', apiKey, timeoutMs: hubTimeoutMs, signal },
      });
      if (status === 401 || status === 403) problems.push(`${model} is gated or private`);
      else if (status === 404) problems.push(`${model} does not exist`);
      else if (status >= 400) problems.push(`${model}: status ${status}`);
    } catch (error) {
      signal?.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      const next =
        'check the way out of the cluster; set HF_ENDPOINT to a mirror, or put the model on a volume';
      const detail = `this machine does not reach ${endpoint}: ${reason}`;
      return { name, result: 'warning', detail, next };
    }
  }
  if (problems.length === 0) {
    const detail = `${[...wanted.keys()].join(', ')} can be downloaded from this machine`;
    return { name, result: 'ok', detail, next: '' };
  }
  const next =
    "check modelURL, accept the model's licence on its page, and set hf_token or HF_TOKEN";
  return { name, result: 'failed', detail: problems.join('; '), next };
}

/** `spillway deploy` and `images` need it; `up` and bare metal do not. */
async function checkHelm({ helm: program = 'helm', signal }: DoctorOptions): Promise<Check> {
  const name = 'helm';
  try {
    const where = { context: '', namespace: '' };
    const { version } = await findHelm({ program, ...where, signal });
    return { name, result: 'ok', detail: `Helm ${version}`, next: '' };
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    const [detail = '', next = ''] = error.message.replace(/\.$/, '').split(/: (?=install)/);
    return { name, result: 'warning', detail, next };
  }
}

/** From this machine; a mirror that does not respond costs time, but nodes then ask the registries. */
async function checkMirror({ environment, signal }: DoctorOptions): Promise<Check> {
  const name = 'mirror';
  const mirror = await namedMirror(environment);
  if (mirror === undefined) {
    const found = await findMirror({ signal });
    return found === undefined
      ? { name, result: 'skipped', detail: 'no registry mirror is named or found', next: '' }
      : {
          ...{ name, result: 'ok', detail: `one responds at ${found.url} (${found.source})` },
          next: `to use it, set ${mirrorVariable}=${found.url} and run "spillway images --containerd" on each node`,
        };
  }
  try {
    await new Registry(mirror, signal).check();
    return { name, result: 'ok', detail: `${mirror.url} responds`, next: '' };
  } catch (error) {
    if (!(error instanceof NoResponseError)) throw error;
    const next = `start the mirror, or correct ${mirrorVariable}; until then nodes pull from the registries`;
    return { name, result: 'warning', detail: error.message.replace(/\.$/, ''), next };
  }
}

async function checkPorts(ports: readonly number[]): Promise<Check> {
  const used: number[] = [];
  for (const port of ports) {
    await assertPortFree('127.0.0.1', port, '--port').catch(() => used.push(port));
  }
  return used.length === 0
    ? { name: 'ports', result: 'ok', detail: `${ports.join(', ')} are free here`, next: '' }
    : {
        ...{ name: 'ports', result: 'warning', detail: `in use here: ${used.join(', ')}` },
        next: 'stop what listens there ("ss -ltnp"), or forward to another local port',
      };
}
