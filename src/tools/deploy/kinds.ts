// Where the API server has the objects of each kind, by its own list of kinds.
import { at, listAt, textAt } from '../../core/kubernetes/index.ts';
import type { Cluster } from './cluster.ts';
import type { Manifest } from './manifests.ts';

interface Kind {
  readonly plural: string;
  readonly isNamespaced: boolean;
}

export class Kinds {
  readonly #cluster: Cluster;
  readonly #namespace: string;
  /** By version of an API: a chart has objects of about ten. */
  readonly #known = new Map<string, Promise<ReadonlyMap<string, Kind>>>();

  /** @param namespace Of objects that do not name one. */
  constructor(cluster: Cluster, namespace: string) {
    this.#cluster = cluster;
    this.#namespace = namespace;
  }

  /** The path of the object; undefined if the cluster does not know the kind. */
  async pathOf(object: Manifest): Promise<string | undefined> {
    const list = await this.listPathOf(object);
    return list && `${list}/${encodeURIComponent(object.metadata.name)}`;
  }

  /** The path of the list where the object belongs. */
  async listPathOf({ apiVersion, kind, metadata }: Manifest): Promise<string | undefined> {
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const found = (await this.#kindsOf(root)).get(kind);
    if (found === undefined) return undefined;
    const namespace = encodeURIComponent(metadata.namespace ?? this.#namespace);
    return found.isNamespaced
      ? `${root}/namespaces/${namespace}/${found.plural}`
      : `${root}/${found.plural}`;
  }

  #kindsOf(root: string): Promise<ReadonlyMap<string, Kind>> {
    let known = this.#known.get(root);
    if (known === undefined) {
      known = this.#cluster.get(root).then(readKinds);
      this.#known.set(root, known);
    }
    return known;
  }
}

function readKinds(list: unknown): ReadonlyMap<string, Kind> {
  const kinds = new Map<string, Kind>();
  for (const resource of listAt(list, 'resources')) {
    const plural = textAt(resource, 'name');
    // Subresources have a slash.
    if (plural.includes('/')) continue;
    const isNamespaced = at(resource, 'namespaced') === true;
    kinds.set(textAt(resource, 'kind'), { plural, isNamespaced });
  }
  return kinds;
}
