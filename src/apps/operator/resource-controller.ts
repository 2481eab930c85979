// Carries out what `reconcile` decides for one resource at a time.
import { createHash } from 'node:crypto';
import {
  type EnginePod,
  isMadeFor,
  type KubernetesObject,
  type Observed,
  podsOf,
  type Resource,
  reconcile,
  referenceTo,
  type ScalingCondition,
} from '../../core/operator/index.ts';
import { ChangedMeanwhileError, type ClusterWriter } from './cluster.ts';

export interface ResourceControllerOptions {
  readonly cluster: ClusterWriter;
  /** The objects that a resource owns, as the watches have them. */
  readonly owned: (resource: Resource) => readonly KubernetesObject[];
  /** Pods of runtimes in a namespace, as the watch has them. */
  readonly pods: (namespace: string) => readonly EnginePod[];
  /** What the built-in scaler of a runtime last said. */
  readonly scaling: (resource: Resource) => ScalingCondition | undefined;
  /** VLLMRouter: runtimes with a ready engine that it finds. */
  readonly activeRuntimes: (resource: Resource) => number | undefined;
  /** RFC 3339. */
  readonly now: () => string;
}

/** What was applied, and the object that the API server made of it. */
interface Applied {
  readonly hash: string;
  readonly version: string;
}

/** Time until the next look at an object of somebody else: no watch shows that it goes. One read per object and look. */
const conflictSeconds = 10;
/** Reads of unknown objects: those of the spec, then those that follow from a Deployment that is found. One more for good measure. */
const passesMax = 3;

export class ResourceController {
  readonly #options: ResourceControllerOptions;
  /** By uid of the resource, then kind and name: as many as there are objects. */
  readonly #applied = new Map<string, Map<string, Applied>>();
  /** The version of each resource after its status was last set, by uid. */
  readonly #written = new Map<string, string>();

  constructor(options: ResourceControllerOptions) {
    this.#options = options;
  }

  /** The resource is gone. */
  forget(uid: string): void {
    this.#applied.delete(uid);
    this.#written.delete(uid);
  }

  /**
   * Brings the cluster closer to what a resource says.
   *
   * @returns Seconds until another look is due, while an object of somebody else is in the way; otherwise undefined.
   * @throws If the API server cannot be reached, or refuses something; the status says so, too, if it can be written.
   */
  async work(resource: Resource): Promise<number | undefined> {
    const { cluster } = this.#options;
    const objects = await this.#objects(resource);
    const observed = this.#observed(resource, objects);
    const decided = reconcile(resource, observed);
    let refusal: unknown;
    try {
      for (const object of decided.apply) await this.#apply(resource, object, objects);
      for (const reference of decided.remove) {
        const { uid } = same(objects, reference.kind, reference.name)?.metadata ?? {};
        await cluster.remove(reference, uid);
      }
    } catch (error) {
      if (error instanceof ChangedMeanwhileError) throw error;
      refusal = error;
    }
    const { status, events } =
      refusal === undefined
        ? decided
        : reconcile(resource, {
            ...observed,
            refusal: refusal instanceof Error ? refusal.message : String(refusal),
          });
    if (status !== undefined && (await this.#setStatus(resource, status))) {
      for (const event of events) await cluster.record(resource, event);
    }
    if (refusal !== undefined) throw refusal;
    return decided.conflicts?.length ? conflictSeconds : undefined;
  }

  #observed(resource: Resource, objects: readonly KubernetesObject[]): Observed {
    const { activeRuntimes, now, pods, scaling } = this.#options;
    const active = activeRuntimes(resource);
    const own = objects.filter((object) => isMadeFor(object, resource));
    return {
      ...{ objects, now: now() },
      scaling: scaling(resource),
      pods: podsOf(own, pods(resource.metadata.namespace)),
      ...(active === undefined ? {} : { activeRuntimes: active }),
    };
  }

  /**
   * Sets a status, unless the watch does not show yet what was set last: its events lead to another look.
   *
   * @returns Whether it was set.
   */
  async #setStatus(
    { apiVersion, kind, metadata }: Resource,
    status: Readonly<Record<string, unknown>>,
  ): Promise<boolean> {
    const { namespace, name, uid, resourceVersion } = metadata;
    const written = this.#written.get(uid);
    if (written !== undefined && isOlder(resourceVersion, written)) return false;
    const reference = { apiVersion, kind, namespace, name };
    const version = await this.#options.cluster.setStatus(reference, status);
    if (version !== undefined) this.#written.set(uid, version);
    return true;
  }

  /** Objects that the watches have, and those without our label that have a name that the resource would give. */
  async #objects(resource: Resource): Promise<readonly KubernetesObject[]> {
    const { cluster, owned } = this.#options;
    const objects = [...owned(resource)];
    const asked = new Set<string>();
    for (let pass = 0; pass < passesMax; pass++) {
      const { apply } = reconcile(resource, this.#observed(resource, objects));
      const unknown = apply.filter(
        ({ kind, metadata: { name } }) =>
          same(objects, kind, name) === undefined && !asked.has(`${kind}/${name}`),
      );
      if (unknown.length === 0) break;
      for (const object of unknown) {
        asked.add(`${object.kind}/${object.metadata.name}`);
        const found = await cluster.read(referenceTo(object, resource.metadata.namespace));
        if (found !== undefined) objects.push(found);
      }
    }
    return objects;
  }

  /** Applies an object, unless the cluster has it as it was last applied. */
  async #apply(
    { metadata }: Resource,
    object: KubernetesObject,
    observed: readonly KubernetesObject[],
  ): Promise<void> {
    const key = `${object.kind}/${object.metadata.name}`;
    const hash = createHash('sha256').update(JSON.stringify(object)).digest('base64');
    const found = same(observed, object.kind, object.metadata.name);
    const applied = this.#applied.get(metadata.uid) ?? new Map<string, Applied>();
    this.#applied.set(metadata.uid, applied);
    const last = applied.get(key);
    if (found !== undefined && last?.hash === hash && last.version === versionOf(found)) return;
    const now = await this.#options.cluster.apply(object, found?.metadata.uid);
    applied.set(key, { hash, version: versionOf(now) });
  }
}

function same(
  objects: readonly KubernetesObject[],
  kind: string,
  name: string,
): KubernetesObject | undefined {
  return objects.find((one) => one.kind === kind && one.metadata.name === name);
}

/**
 * Versions of one kind of object are numbers that grow.
 *
 * @see https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
 */
function isOlder(version: string | undefined, than: string): boolean {
  return /^\d+$/.test(version ?? '') && /^\d+$/.test(than) && BigInt(version ?? 0) < BigInt(than);
}

/** What changes with the specification of an object and not with its status, where there is such a thing. */
function versionOf({ metadata }: KubernetesObject): string {
  const { generation, resourceVersion = '' } = metadata;
  return generation === undefined ? resourceVersion : String(generation);
}
