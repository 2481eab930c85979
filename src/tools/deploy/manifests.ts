// The objects of a rendered chart.
import { parseAllDocuments, stringify } from 'yaml';
import { at, textAt } from '../../core/kubernetes/index.ts';
import { DeployError } from './deploy-error.ts';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly [key: string]: unknown;
  };
  readonly [key: string]: unknown;
}

/** @throws {DeployError} If the text is not YAML. */
export function parseManifests(text: string): readonly Manifest[] {
  // Charts of others repeat keys, of which Kubernetes takes the last.
  return parseAllDocuments(text, { uniqueKeys: false }).flatMap((document) => {
    const [problem] = document.errors ?? [];
    if (problem) throw new DeployError(`The chart renders to what is not YAML: ${problem.message}`);
    const object = document.toJS() as Manifest | null;
    return object !== null && textAt(object, 'kind') !== '' ? [object] : [];
  });
}

const workloadKinds = ['Deployment', 'StatefulSet', 'RayCluster'];

/** Objects that have pods. */
export function workloadsOf(manifests: readonly Manifest[]): readonly Manifest[] {
  return manifests.filter(({ kind }) => workloadKinds.includes(kind));
}

/** Names an object for people: `Deployment vllm-deployment-router`. */
export function nameOf({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.name}`;
}

/** YAML with sorted keys, so that texts differ only where objects do. Values of secrets are not shown. */
export function canonicalYaml(manifest: Manifest): string {
  const { data, stringData } = manifest;
  const shown =
    manifest.kind === 'Secret'
      ? { ...manifest, data: hidden(data), stringData: hidden(stringData) }
      : manifest;
  return stringify(shown, { sortMapEntries: true, lineWidth: 0, aliasDuplicateObjects: false });
}

/** Lengths instead of values. */
function hidden(data: unknown): unknown {
  if (typeof data !== 'object' || data === null) return undefined;
  return Object.fromEntries(
    Object.keys(data).map((key) => [key, `(hidden, ${String(at(data, key)).length} characters)`]),
  );
}
