// Releases as Helm keeps them: one Secret per revision, which tells what belongs to a stack, whatever chart it is of.
import { gunzipSync, gzipSync } from 'node:zlib';
import { at, textAt } from '../../core/kubernetes/index.ts';
import type { Cluster } from './cluster.ts';
import { type Manifest, parseManifests } from './manifests.ts';

export interface Release {
  readonly name: string;
  readonly namespace: string;
  readonly revision: number;
  /** Helm's word: deployed, failed, pending-install, superseded, … */
  readonly status: string;
  /** Such as `vllm-stack-0.1.12`. */
  readonly chart: string;
  readonly manifests: readonly Manifest[];
  /** Values that were given. */
  readonly values: unknown;
}

/** A release unpacked is at most a few megabytes; more is not one. */
const releaseBytesMax = 64 << 20;

/** Revisions of a release, oldest first; empty if there is none. Helm keeps ten. */
export async function readReleases(
  cluster: Cluster,
  namespace: string,
  name: string,
): Promise<readonly Release[]> {
  const secrets = await cluster.list(secretsOf(namespace), `owner=helm,name=${name}`);
  return secrets
    .map((secret) => releaseOf(unpacked(secret)))
    .sort((one, other) => one.revision - other.revision);
}

/** The newest revision; undefined if there is none. */
export async function readRelease(
  cluster: Cluster,
  namespace: string,
  name: string,
): Promise<Release | undefined> {
  return (await readReleases(cluster, namespace, name)).at(-1);
}

/** Names of all releases of a namespace. */
export async function releaseNames(
  cluster: Cluster,
  namespace: string,
): Promise<readonly string[]> {
  const secrets = await cluster.list(secretsOf(namespace), 'owner=helm');
  return [...new Set(secrets.map((secret) => textAt(secret, 'metadata', 'labels', 'name')))].sort();
}

/**
 * Marks claims and volumes of the newest revision as kept, in Helm's own record of it: `helm uninstall` then leaves them, as
 * it does with objects that have this annotation in their chart.
 *
 * @see https://helm.sh/docs/howto/charts_tips_and_tricks/#tell-helm-not-to-uninstall-a-resource
 * @returns Names of the objects.
 */
export async function keepVolumes(
  cluster: Cluster,
  { namespace, name, revision }: Release,
): Promise<readonly Manifest[]> {
  const path = `${secretsOf(namespace)}/sh.helm.release.v1.${name}.v${revision}`;
  const secret = await cluster.get(path);
  const record = unpacked(secret) as { manifest?: string };
  const manifests = parseManifests(record.manifest ?? '');
  const kept = manifests.filter(isVolume);
  if (kept.length === 0) return kept;
  // JSON is YAML.
  const text = manifests.map((one) => JSON.stringify(isVolume(one) ? keeping(one) : one));
  const packed = gzipSync(
    JSON.stringify({ ...record, manifest: `---\n${text.join('\n---\n')}\n` }),
  );
  const release = Buffer.from(packed.toString('base64')).toString('base64');
  await cluster.send({
    ...{ method: 'PATCH', path, contentType: 'application/merge-patch+json' },
    body: JSON.stringify({ data: { release } }),
  });
  return kept;
}

export function isVolume({ kind }: Manifest): boolean {
  return kind === 'PersistentVolumeClaim' || kind === 'PersistentVolume';
}

function keeping(manifest: Manifest): Manifest {
  const { metadata } = manifest;
  const annotations = { ...(metadata['annotations'] as object), 'helm.sh/resource-policy': 'keep' };
  return { ...manifest, metadata: { ...metadata, annotations } };
}

function secretsOf(namespace: string): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`;
}

/** base64 of Kubernetes, then base64 and gzip of Helm. */
function unpacked(secret: unknown): unknown {
  const outer = Buffer.from(textAt(secret, 'data', 'release'), 'base64').toString();
  const packed = Buffer.from(outer, 'base64');
  return JSON.parse(gunzipSync(packed, { maxOutputLength: releaseBytesMax }).toString());
}

function releaseOf(record: unknown): Release {
  const chart = at(record, 'chart', 'metadata');
  return {
    name: textAt(record, 'name'),
    namespace: textAt(record, 'namespace'),
    revision: Number(at(record, 'version')),
    status: textAt(record, 'info', 'status'),
    chart: `${textAt(chart, 'name')}-${textAt(chart, 'version')}`,
    manifests: parseManifests(textAt(record, 'manifest')),
    values: at(record, 'config') ?? {},
  };
}
