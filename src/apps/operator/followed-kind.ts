// One kind of object as the operator follows it: its list, and what has changed since the last look.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock, Random } from '../../core/base/index.ts';
import { WatchedList } from '../../core/kubernetes/index.ts';
import { type KubernetesObject, listPath } from '../../core/operator/index.ts';
import { ApiStatusError, type ClusterAccess, followList } from '../../io/kubernetes/index.ts';
import type { Logger } from '../../io/log/index.ts';

/**
 * Characters of an object that the operator works with, its annotations left out: those of a VLLMRuntime with 1,000 environment variables.
 * Without it, one user's resources, of 1.5 MiB each, would take the operator's memory from those of all others.
 */
const charactersMax = 131_072;

/** Names of such objects that are remembered, so that each is reported once. */
const largeMax = 1_000;

export interface FollowedKindOptions {
  readonly kind: string;
  readonly apiVersion: string;
  /** Empty for all objects. */
  readonly labelSelector: string;
  /** The part of an object that is kept. @default all of it but `managedFields` and annotations */
  readonly keep?: ((object: KubernetesObject) => KubernetesObject) | undefined;
  /** Whether two versions of an object are the same to the operator. @default by `resourceVersion` */
  readonly isSame?: ((before: KubernetesObject, now: KubernetesObject) => boolean) | undefined;
}

export interface FollowOptions {
  readonly access: ClusterAccess;
  /** Undefined for all. */
  readonly namespace: string | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal;
  onChange(): void;
}

/** What has changed since the last look. */
export interface Changes {
  /** Objects that are new, or not the same. */
  readonly changed: readonly KubernetesObject[];
  readonly gone: readonly KubernetesObject[];
}

export class FollowedKind {
  readonly kind: string;
  readonly #options: FollowedKindOptions;
  readonly #list: WatchedList<KubernetesObject>;
  /** The versions at the last look. */
  #seen: ReadonlyMap<string, KubernetesObject> = new Map();
  #isAbsent = false;

  constructor(
    options: FollowedKindOptions,
    { clock, random }: { readonly clock: Clock; readonly random: Random },
  ) {
    this.kind = options.kind;
    this.#options = options;
    this.#list = new WatchedList<KubernetesObject>({ clock, random });
  }

  /** Whether its list is read; or the API server has no such kind, as its definitions are not installed. */
  get isSynced(): boolean {
    return this.#isAbsent || this.#list.isListed;
  }

  /** By namespace and name. */
  get objects(): ReadonlyMap<string, KubernetesObject> {
    return this.#list.objects;
  }

  /** Its objects in a namespace. */
  within(namespace: string | undefined): KubernetesObject[] {
    return [...this.objects.values()].filter(({ metadata }) => metadata.namespace === namespace);
  }

  /** Reads the list and its changes until the signal. Each failure is logged once. */
  follow({ access, namespace, log, signal, onChange }: FollowOptions): Promise<void> {
    const { kind, apiVersion, labelSelector, keep } = this.#options;
    let said = '';
    const large = new Set<string>();
    return followList<KubernetesObject>({
      ...{ access, labelSelector, signal, onChange, list: this.#list },
      path: listPath(kind, apiVersion, namespace),
      read: (object) => {
        const read = readObject(object, kind, apiVersion);
        const kept = keep?.(read) ?? read;
        const characters = JSON.stringify(kept).length;
        const name = `${read.metadata.namespace ?? ''}/${read.metadata.name}`;
        if (characters <= charactersMax) {
          large.delete(name);
          return kept;
        }
        if (!large.has(name) && large.size < largeMax) {
          large.add(name);
          log.warning(
            `${kind} ${name} has ${characters} characters without its annotations, of at most ${charactersMax}: it is left as it is`,
          );
        }
        return undefined;
      },
      onServed: () => {
        this.#isAbsent = false;
        said = '';
      },
      onFailure: (reason) => {
        this.#isAbsent = reason instanceof ApiStatusError && reason.status === 404;
        if (reason.message === said) return;
        said = reason.message;
        log.warning(`${kind}: ${reason.message}`);
      },
      wait: async (milliseconds, waitSignal) => {
        await sleep(milliseconds, undefined, { signal: waitSignal }).catch(() => {});
      },
    });
  }

  /** What has changed since the last call. */
  takeChanges(): Changes {
    const { objects } = this;
    const before = this.#seen;
    const { isSame = hasSameVersion } = this.#options;
    this.#seen = new Map(objects);
    const changed = [...objects].filter(([key, object]) => {
      const seen = before.get(key);
      return seen === undefined || !isSame(seen, object);
    });
    const gone = [...before].filter(([key]) => !objects.has(key));
    return { changed: changed.map(([, object]) => object), gone: gone.map(([, one]) => one) };
  }
}

function hasSameVersion(before: KubernetesObject, now: KubernetesObject): boolean {
  return before.metadata.resourceVersion === now.metadata.resourceVersion;
}

/**
 * Items of a list do not say what they are. Who set which field, and annotations, are of no interest, and most of an object: `kubectl apply`
 * annotates it with all of itself, and an object may have 256 KiB of them.
 */
function readObject(object: unknown, kind: string, apiVersion: string): KubernetesObject {
  const read = object as KubernetesObject & {
    readonly metadata: { readonly managedFields?: unknown };
  };
  const { managedFields: _, annotations: __, ...metadata } = read.metadata;
  return { ...read, apiVersion, kind, metadata };
}
