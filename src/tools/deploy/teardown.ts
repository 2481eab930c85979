// Removes a release: first the release, then what it left, then the namespace; and checks that nothing is left.
import { InputError } from '../../core/base/index.ts';
import { at, textAt } from '../../core/kubernetes/index.ts';
import { delay } from '../../io/processes/index.ts';
import type { Cluster } from './cluster.ts';
import { findHelm } from './helm.ts';
import { Kinds } from './kinds.ts';
import { type Manifest, nameOf } from './manifests.ts';
import { isVolume, keepVolumes, type Release, readReleases } from './release.ts';

export interface TeardownOptions {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly release: string;
  readonly helm: string;
  /** Whether claims, and with them the models on their volumes, go too. */
  readonly removesClaims: boolean;
  readonly removesNamespace: boolean;
  readonly waitMs: number;
  readonly pollMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onStep: (line: string) => void;
}

export interface Teardown {
  /** Whether there was a release. */
  readonly wasInstalled: boolean;
  /** Claims and volumes that stay. */
  readonly kept: readonly string[];
  /** What should have gone, with the reason if there is one. */
  readonly left: readonly string[];
}

/** Namespaces that a cluster needs, or that are not this program's to remove. */
const neverRemoved = /^(default|kube-.*)$/;

/**
 * @throws {InputError} If the namespace must not be removed.
 * @throws {NoResponseError} If the cluster cannot be reached.
 */
export async function teardown(options: TeardownOptions): Promise<Teardown> {
  const { cluster, namespace, release, onStep, signal, waitMs } = options;
  if (options.removesNamespace && neverRemoved.test(namespace)) {
    throw new InputError(
      `The namespace ${namespace} is never removed; leave out --delete-namespace.`,
    );
  }
  await cluster.version();
  const revisions = await readReleases(cluster, namespace, release);
  const newest = revisions.at(-1);
  const kept: string[] = [];
  if (newest !== undefined) {
    const { context } = cluster.access;
    const helm = await findHelm({ program: options.helm, context, namespace, signal });
    if (!options.removesClaims) kept.push(...(await keepVolumes(cluster, newest)).map(nameOf));
    await helm.run(
      ['uninstall', release, '--wait', '--timeout', `${Math.ceil(waitMs / 1000)}s`],
      waitMs + 30_000,
    );
    onStep(`uninstalled ${release} (${newest.chart}, revision ${newest.revision})`);
  } else onStep(`namespace ${namespace} has no release ${release}`);
  if (options.removesClaims) await removeClaims(options);
  const deadline = performance.now() + waitMs;
  const look = () => leftovers(options, newest);
  let left = await look();
  while (left.length > 0 && performance.now() < deadline) {
    await delay(options.pollMs ?? 500, signal);
    signal?.throwIfAborted();
    left = await look();
  }
  if (options.removesNamespace && left.length === 0) {
    left = await removeNamespace(options, deadline);
  }
  return { wasInstalled: newest !== undefined, kept, left };
}

/** Removes claims that Helm made for the release, also those that an earlier teardown kept. */
async function removeClaims({
  cluster,
  namespace,
  release,
  onStep,
}: TeardownOptions): Promise<void> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/persistentvolumeclaims`;
  for (const claim of await cluster.list(path)) {
    if (!isOfRelease(claim, release)) continue;
    const name = textAt(claim, 'metadata', 'name');
    await cluster.send({ method: 'DELETE', path: `${path}/${encodeURIComponent(name)}` });
    onStep(`removed PersistentVolumeClaim ${name}`);
  }
}

/** Helm writes this annotation on everything that it makes. */
function isOfRelease(object: unknown, release: string): boolean {
  return textAt(object, 'metadata', 'annotations', 'meta.helm.sh/release-name') === release;
}

/** Objects of the release, and pods that were theirs, which still exist. */
async function leftovers(
  options: TeardownOptions,
  newest: Release | undefined,
): Promise<readonly string[]> {
  const { cluster, namespace, release, removesClaims } = options;
  const kinds = new Kinds(cluster, namespace);
  const wanted = (newest?.manifests ?? []).filter((one) => removesClaims || !isVolume(one));
  const objects = await Promise.all(wanted.map((one) => leftover(cluster, kinds, one)));
  const root = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
  const [pods, claims, records] = await Promise.all([
    cluster.list(`${root}/pods`),
    cluster.list(`${root}/persistentvolumeclaims`),
    cluster.list(`${root}/secrets`, `owner=helm,name=${release}`),
  ]);
  const ofStack = (pod: unknown) => {
    const labels = (at(pod, 'metadata', 'labels') ?? {}) as Readonly<Record<string, string>>;
    return (
      labels['helm-release-name'] === release ||
      (labels['app.kubernetes.io/instance'] === release &&
        labels['app.kubernetes.io/part-of'] === 'vllm-stack')
    );
  };
  const name = (object: unknown) => textAt(object, 'metadata', 'name');
  return [
    ...objects.flat(),
    ...pods.filter(ofStack).map((pod) => `Pod ${name(pod)}`),
    ...(removesClaims ? claims.filter((one) => isOfRelease(one, release)) : []).map(
      (claim) => `PersistentVolumeClaim ${name(claim)}`,
    ),
    ...records.map((record) => `Secret ${name(record)}`),
  ];
}

async function leftover(
  cluster: Cluster,
  kinds: Kinds,
  manifest: Manifest,
): Promise<readonly string[]> {
  const path = await kinds.pathOf(manifest);
  const live = path === undefined ? undefined : await cluster.get(path);
  if (live === undefined) return [];
  const finalizers = at(live, 'metadata', 'finalizers');
  const held = Array.isArray(finalizers) && finalizers.length > 0;
  return [`${nameOf(manifest)}${held ? ` (held by the finalizer ${finalizers.join(', ')})` : ''}`];
}

async function removeNamespace(
  { cluster, namespace, onStep, signal, pollMs = 500 }: TeardownOptions,
  deadline: number,
): Promise<readonly string[]> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
  if ((await cluster.get(path)) === undefined) return [];
  await cluster.send({ method: 'DELETE', path });
  for (;;) {
    const live = await cluster.get(path);
    if (live === undefined) {
      onStep(`removed namespace ${namespace}`);
      return [];
    }
    if (performance.now() >= deadline) return [`Namespace ${namespace}`];
    await delay(pollMs, signal);
    signal?.throwIfAborted();
  }
}
