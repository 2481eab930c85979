// The operator: follows its resources and what they own, and works on one resource at a time wherever something changed.
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Random } from '../../core/base/index.ts';
import { WatchedList } from '../../core/kubernetes/index.ts';
import {
  type AdapterPod,
  type AdapterResource,
  adapterPodObject,
  apiVersion,
  deployedKinds,
  followedKinds,
  type KubernetesObject,
  listPath,
  managedBy,
  matchesSelector,
  modelLabel,
  type Resource,
  WorkQueue,
} from '../../core/operator/index.ts';
import { ApiStatusError, type ClusterAccess, followList } from '../../io/kubernetes/index.ts';
import type { Logger } from '../../io/log/index.ts';
import { AdapterController } from './adapter-controller.ts';
import type { AdapterCluster, ClusterWriter } from './cluster.ts';
import type { LeaderElection } from './leader-election.ts';
import { ResourceController } from './resource-controller.ts';

export interface OperatorOptions {
  readonly access: ClusterAccess;
  readonly cluster: ClusterWriter & AdapterCluster;
  /** Works in this namespace only. @default all */
  readonly namespace?: string | undefined;
  /** Undefined if there is no other operator. */
  readonly election: LeaderElection | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Resources that are worked on at a time. */
const workersMax = 4;
/** Every resource is looked at again after this time, in case an event was lost. */
const resyncSeconds = 600;
/** Longest pause between two looks at the queue: leadership comes and goes without an event. */
const lookMs = 1_000;
/** Pods change in groups, and each look at adapters asks all of their engines. */
const podPauseSeconds = 0.25;

interface Followed {
  readonly kind: string;
  readonly list: WatchedList<KubernetesObject>;
  /** The versions at the last look. */
  seen: Map<string, KubernetesObject>;
  /** The API server has no such kind: its definitions are not installed. */
  isAbsent: boolean;
}

export class Operator {
  readonly #options: OperatorOptions;
  readonly #queue: WorkQueue;
  readonly #controller: ResourceController;
  readonly #resources: readonly Followed[];
  readonly #owned: readonly Followed[];
  readonly #adapterController: AdapterController;
  readonly #adapters: Followed;
  /** Pods with the label `model`. */
  readonly #pods: Followed;
  readonly #stopped = new AbortController();
  readonly #followers: Promise<void>[] = [];
  readonly #working = new Set<Promise<void>>();
  #nextResyncSeconds = 0;
  /** Ends the pause. */
  #woken = new AbortController();

  constructor(options: OperatorOptions) {
    const { clock, random, cluster, log } = options;
    this.#options = options;
    this.#queue = new WorkQueue(clock, random);
    const followed = (kind: string): Followed => ({
      ...{ kind, seen: new Map(), isAbsent: false },
      list: new WatchedList<KubernetesObject>({ clock, random }),
    });
    this.#resources = deployedKinds.map(followed);
    this.#owned = followedKinds.map(({ kind }) => followed(kind));
    this.#adapters = followed('LoraAdapter');
    this.#pods = followed('Pod');
    const now = () => new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    this.#controller = new ResourceController({
      ...{ cluster, now },
      owned: (resource) => this.#ownedBy(resource),
      activeRuntimes: (resource) => this.#activeRuntimes(resource),
    });
    this.#adapterController = new AdapterController({
      ...{ cluster, clock, random, log, now },
      onEnd: (namespace) => {
        this.#queue.add(adaptersKey(namespace), podPauseSeconds);
        this.#woken.abort();
      },
    });
  }

  /** Whether all lists are read. Before, nothing is done. */
  get isSynced(): boolean {
    return [...this.#resources, ...this.#owned, this.#adapters, this.#pods].every(
      ({ list, isAbsent }) => isAbsent || list.isListed,
    );
  }

  /** Works until it is closed. */
  async run(): Promise<void> {
    const { signal } = this.#stopped;
    for (const followed of this.#resources) {
      this.#followers.push(this.#follow(followed, apiVersion, ''));
    }
    for (const [at, followed] of this.#owned.entries()) {
      const version = followedKinds[at]?.apiVersion ?? 'v1';
      this.#followers.push(this.#follow(followed, version, managedBy));
    }
    this.#followers.push(this.#follow(this.#adapters, apiVersion, ''));
    this.#followers.push(this.#follow(this.#pods, 'v1', modelLabel));
    while (!signal.aborted) {
      this.#startWork();
      const waitMs = 1000 * (this.#queue.waitSeconds() ?? Number.POSITIVE_INFINITY);
      await this.#pause(this.#canWork ? Math.min(lookMs, waitMs) : lookMs);
    }
  }

  /** Waits, or until something is to be done. */
  async #pause(milliseconds: number): Promise<void> {
    this.#woken = new AbortController();
    const signal = AbortSignal.any([this.#woken.signal, this.#stopped.signal]);
    // Waiting keys that no worker is free for must not make a busy loop.
    await sleep(Math.max(5, milliseconds), undefined, { signal }).catch(() => {});
  }

  /** Ends what is under way; nothing is half done, since each step stands by itself. */
  async close(): Promise<void> {
    this.#stopped.abort();
    await Promise.allSettled([
      ...[...this.#followers, ...this.#working],
      this.#adapterController.close(),
    ]);
  }

  #follow(followed: Followed, version: string, labelSelector: string): Promise<void> {
    const { access, namespace, log } = this.#options;
    const { signal } = this.#stopped;
    let said = '';
    return followList<KubernetesObject>({
      ...{ access, labelSelector, signal },
      path: listPath(followed.kind, version, namespace),
      list: followed.list,
      read: (object) => {
        const read = readObject(object, followed.kind, version);
        return followed === this.#pods ? adapterPodObject(read) : read;
      },
      onChange: () => this.#compare(followed),
      onServed: () => {
        followed.isAbsent = false;
        said = '';
      },
      onFailure: (reason) => {
        followed.isAbsent = reason instanceof ApiStatusError && reason.status === 404;
        if (reason.message === said) return;
        said = reason.message;
        log.warning(`${followed.kind}: ${reason.message}`);
      },
      wait: async (milliseconds, waitSignal) => {
        await sleep(milliseconds, undefined, { signal: waitSignal }).catch(() => {});
      },
    });
  }

  /** Wants a look at what has changed since the last one. */
  #compare(followed: Followed): void {
    if (followed === this.#adapters || followed === this.#pods) {
      this.#compareForAdapters(followed);
      return;
    }
    const { objects } = followed.list;
    const isResource = (deployedKinds as readonly string[]).includes(followed.kind);
    for (const [key, object] of objects) {
      const before = followed.seen.get(key);
      if (before?.metadata.resourceVersion === object.metadata.resourceVersion) continue;
      this.#want(object, isResource);
      // A router counts its runtimes.
      if (followed.kind === 'VLLMRuntime') this.#wantRouters(object.metadata.namespace);
    }
    for (const [key, object] of followed.seen) {
      if (objects.has(key)) continue;
      if (isResource) {
        this.#queue.forget(keyOf(object));
        this.#controller.forget(object.metadata.uid ?? '');
        this.#wantRouters(object.metadata.namespace);
      } else this.#want(object, false);
    }
    followed.seen = new Map(objects);
    this.#woken.abort();
  }

  /** Wants a look at the adapters of each namespace where one, or a pod of an engine, has changed. */
  #compareForAdapters(followed: Followed): void {
    const { objects } = followed.list;
    const isPod = followed === this.#pods;
    const changed = new Set<string>();
    for (const [key, object] of objects) {
      const before = followed.seen.get(key);
      const isSame = isPod
        ? isDeepStrictEqual(before?.['engine'], object['engine'])
        : before?.metadata.resourceVersion === object.metadata.resourceVersion;
      if (!isSame) changed.add(object.metadata.namespace ?? '');
    }
    for (const [key, object] of followed.seen) {
      if (!objects.has(key)) changed.add(object.metadata.namespace ?? '');
    }
    followed.seen = new Map(objects);
    const withAdapters = new Set(
      Array.from(this.#adapters.list.objects.values(), ({ metadata }) => metadata.namespace),
    );
    for (const namespace of changed) {
      if (isPod && !withAdapters.has(namespace)) continue;
      this.#queue.add(adaptersKey(namespace), isPod ? podPauseSeconds : 0);
    }
    if (changed.size > 0) this.#woken.abort();
  }

  #want(object: KubernetesObject, isResource: boolean): void {
    if (isResource) this.#queue.add(keyOf(object));
    for (const { kind, name } of isResource ? [] : (object.metadata.ownerReferences ?? [])) {
      this.#queue.add(`${kind}/${object.metadata.namespace}/${name}`);
    }
  }

  #wantRouters(namespace: string | undefined): void {
    const routers = this.#resources.find(({ kind }) => kind === 'VLLMRouter');
    for (const router of routers?.list.objects.values() ?? []) {
      if (router.metadata.namespace === namespace) this.#queue.add(keyOf(router));
    }
  }

  get #canWork(): boolean {
    return this.isSynced && this.#options.election?.isLeader !== false;
  }

  #startWork(): void {
    const { clock } = this.#options;
    if (!this.#canWork) return;
    if (clock.nowSeconds() >= this.#nextResyncSeconds) {
      this.#nextResyncSeconds = clock.nowSeconds() + resyncSeconds;
      for (const { list } of this.#resources) {
        for (const resource of list.objects.values()) this.#queue.add(keyOf(resource));
      }
      for (const { metadata } of this.#adapters.list.objects.values()) {
        this.#queue.add(adaptersKey(metadata.namespace ?? ''));
      }
    }
    while (this.#working.size < workersMax) {
      const key = this.#queue.take();
      if (key === undefined) return;
      const work = this.#work(key).finally(() => {
        this.#working.delete(work);
        this.#woken.abort();
      });
      this.#working.add(work);
    }
  }

  async #work(key: string): Promise<void> {
    const [kind = '', namespace = '', name = ''] = key.split('/');
    try {
      if (kind === this.#adapters.kind) await this.#workOnAdapters(key, namespace);
      else {
        const followed = this.#resources.find((one) => one.kind === kind);
        const resource = followed?.list.objects.get(`${namespace}/${name}`);
        if (resource !== undefined) await this.#controller.work(resource as unknown as Resource);
      }
      this.#queue.done(key, false);
    } catch (error) {
      this.#queue.done(key, true);
      this.#options.log.warning(`${key}: ${error instanceof Error ? error.message : error}`);
    }
  }

  async #workOnAdapters(key: string, namespace: string): Promise<void> {
    const within = ({ list }: Followed) =>
      Array.from(list.objects.values()).filter(({ metadata }) => metadata.namespace === namespace);
    const adapters = within(this.#adapters) as unknown as readonly AdapterResource[];
    const pods = within(this.#pods).map((pod) => pod['engine'] as AdapterPod);
    const seconds = await this.#adapterController.work(namespace, adapters, pods);
    if (seconds !== undefined) this.#queue.add(key, seconds);
  }

  #ownedBy({ metadata }: Resource): readonly KubernetesObject[] {
    return this.#owned.flatMap(({ list }) =>
      Array.from(list.objects.values()).filter((object) =>
        object.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid),
      ),
    );
  }

  /** Runtimes with a ready engine among those that a router's selector finds. */
  #activeRuntimes({ kind, metadata, spec }: Resource): number | undefined {
    if (kind !== 'VLLMRouter') return undefined;
    const { k8sLabelSelector } = spec as { readonly k8sLabelSelector?: string };
    if (!k8sLabelSelector) return undefined;
    const runtimes = this.#resources
      .find((one) => one.kind === 'VLLMRuntime')
      ?.list.objects.values();
    return Array.from(runtimes ?? []).filter(({ metadata: runtime, ...rest }) => {
      const { availableReplicas = 0 } = (rest['status'] ?? {}) as {
        readonly availableReplicas?: number;
      };
      const labels = { app: runtime.name, ...runtime.labels };
      return (
        runtime.namespace === metadata.namespace &&
        availableReplicas > 0 &&
        matchesSelector(labels, k8sLabelSelector)
      );
    }).length;
  }
}

/** Adapters of a namespace are looked at together. */
function adaptersKey(namespace: string): string {
  return `LoraAdapter/${namespace}/*`;
}

function keyOf({ kind, metadata }: KubernetesObject): string {
  return `${kind}/${metadata.namespace}/${metadata.name}`;
}

/** Items of a list do not say what they are; who set which field is of no interest, and most of an object. */
function readObject(object: unknown, kind: string, version: string): KubernetesObject {
  const read = object as KubernetesObject & {
    readonly metadata: { readonly managedFields?: unknown };
  };
  const { managedFields: _, ...metadata } = read.metadata;
  return { ...read, apiVersion: version, kind, metadata };
}
