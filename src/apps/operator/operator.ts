// The operator: follows its resources and what they own, and works on one resource at a time wherever something changed.
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Random } from '../../core/base/index.ts';
import {
  type AdapterPod,
  type AdapterResource,
  activeRuntimes,
  adapterPodObject,
  apiVersion,
  deployedKinds,
  type EnginePod,
  enginePodObject,
  followedKinds,
  type KubernetesObject,
  managedBy,
  modelLabel,
  ownedBy,
  podsOf,
  type Resource,
  runtimesOfPod,
  versionLabel,
  WorkQueue,
} from '../../core/operator/index.ts';
import type { ClusterAccess } from '../../io/kubernetes/index.ts';
import type { Logger } from '../../io/log/index.ts';
import { AdapterController } from './adapter-controller.ts';
import type { AdapterCluster, ClusterWriter, ScalingCluster } from './cluster.ts';
import { FollowedKind, type FollowedKindOptions } from './followed-kind.ts';
import type { LeaderElection } from './leader-election.ts';
import { ResourceController } from './resource-controller.ts';
import { ScalingController } from './scaling-controller.ts';

export interface OperatorOptions {
  readonly access: ClusterAccess;
  readonly cluster: ClusterWriter & AdapterCluster & ScalingCluster;
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

export class Operator {
  readonly #options: OperatorOptions;
  readonly #queue: WorkQueue;
  readonly #controller: ResourceController;
  readonly #resources: readonly FollowedKind[];
  readonly #owned: readonly FollowedKind[];
  readonly #adapterController: AdapterController;
  readonly #scalingController: ScalingController;
  readonly #adapters: FollowedKind;
  /** Pods with the label `model`. */
  readonly #pods: FollowedKind;
  /** Pods of runtimes. */
  readonly #enginePods: FollowedKind;
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
    const followed = (kind: FollowedKindOptions) => new FollowedKind(kind, { clock, random });
    const own = (kind: string) => followed({ kind, apiVersion, labelSelector: '' });
    this.#resources = deployedKinds.map(own);
    this.#owned = followedKinds.map((kind) => followed({ ...kind, labelSelector: managedBy }));
    this.#adapters = own('LoraAdapter');
    this.#pods = followed({
      ...{ kind: 'Pod', apiVersion: 'v1', labelSelector: modelLabel, keep: adapterPodObject },
      isSame: (before, pod) => isDeepStrictEqual(before['engine'], pod['engine']),
    });
    this.#enginePods = followed({
      ...{ kind: 'Pod', apiVersion: 'v1', labelSelector: versionLabel, keep: enginePodObject },
      isSame: (before, pod) => isDeepStrictEqual(before['engine'], pod['engine']),
    });
    const now = () => new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    this.#controller = new ResourceController({
      ...{ cluster, now },
      owned: (resource) => this.#ownedBy(resource),
      pods: (namespace) => this.#enginePodsWithin(namespace),
      scaling: (resource) => this.#scalingController.condition(resource),
      activeRuntimes: (resource) =>
        activeRuntimes(resource, this.#resource('VLLMRuntime')?.objects.values() ?? []),
    });
    this.#scalingController = new ScalingController({
      ...{ cluster, clock, log },
      pods: (runtime) =>
        podsOf(this.#ownedBy(runtime), this.#enginePodsWithin(runtime.metadata.namespace)),
      routers: (namespace) => this.#resource('VLLMRouter')?.within(namespace) ?? [],
      onChange: (runtime) => {
        this.#queue.add(keyOf(runtime));
        this.#woken.abort();
      },
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
    return this.#all.every(({ isSynced }) => isSynced);
  }

  get #all(): readonly FollowedKind[] {
    return [...this.#resources, ...this.#owned, this.#adapters, this.#pods, this.#enginePods];
  }

  /** Works until it is closed. */
  async run(): Promise<void> {
    const { signal } = this.#stopped;
    const { access, namespace, log } = this.#options;
    for (const kind of this.#all) {
      const onChange = () => this.#look(kind);
      this.#followers.push(kind.follow({ access, namespace, log, signal, onChange }));
    }
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
    this.#scalingController.close();
    await Promise.allSettled([
      ...[...this.#followers, ...this.#working],
      this.#adapterController.close(),
    ]);
  }

  /** Wants work on what has changed since the last look. */
  #look(kind: FollowedKind): void {
    if (kind === this.#adapters || kind === this.#pods) {
      this.#lookForAdapters(kind);
      return;
    }
    if (kind === this.#enginePods) {
      this.#lookForEngines();
      return;
    }
    const isResource = this.#resources.includes(kind);
    const { changed, gone } = kind.takeChanges();
    for (const object of changed) {
      this.#want(object, isResource);
      // A router counts its runtimes.
      if (kind.kind === 'VLLMRuntime') this.#wantRouters(object.metadata.namespace);
    }
    for (const object of gone) {
      if (isResource) {
        this.#queue.forget(keyOf(object));
        this.#queue.forget(scalingKey(object));
        this.#controller.forget(object.metadata.uid ?? '');
        this.#scalingController.forget(object.metadata.uid ?? '');
        this.#wantRouters(object.metadata.namespace);
      } else this.#want(object, false);
    }
    this.#woken.abort();
  }

  /** Wants work on the adapters of each namespace where one, or a pod of an engine, has changed. */
  #lookForAdapters(kind: FollowedKind): void {
    const isPod = kind === this.#pods;
    const { changed, gone } = kind.takeChanges();
    const namespaces = new Set([...changed, ...gone].map(({ metadata }) => metadata.namespace));
    for (const namespace of namespaces) {
      if (isPod && this.#adapters.within(namespace).length === 0) continue;
      this.#queue.add(adaptersKey(namespace ?? ''), isPod ? podPauseSeconds : 0);
    }
    if (namespaces.size > 0) this.#woken.abort();
  }

  /** Wants work on the runtimes whose pods have changed. */
  #lookForEngines(): void {
    const { changed, gone } = this.#enginePods.takeChanges();
    const deployments = this.#owned.find(({ kind }) => kind === 'Deployment');
    for (const pod of [...changed, ...gone]) {
      const { namespace } = pod.metadata;
      const made = deployments?.within(namespace) ?? [];
      for (const name of runtimesOfPod(pod['engine'] as EnginePod, made)) {
        this.#queue.add(`VLLMRuntime/${namespace}/${name}`, podPauseSeconds);
      }
    }
    this.#woken.abort();
  }

  #enginePodsWithin(namespace: string): readonly EnginePod[] {
    return this.#enginePods.within(namespace).map((pod) => pod['engine'] as EnginePod);
  }

  #want(object: KubernetesObject, isResource: boolean): void {
    if (isResource) this.#queue.add(keyOf(object));
    if (object.kind === 'VLLMRuntime') this.#queue.add(scalingKey(object));
    for (const { kind, name } of isResource ? [] : (object.metadata.ownerReferences ?? [])) {
      this.#queue.add(`${kind}/${object.metadata.namespace}/${name}`);
    }
  }

  #wantRouters(namespace: string | undefined): void {
    for (const router of this.#resource('VLLMRouter')?.within(namespace) ?? []) {
      this.#queue.add(keyOf(router));
    }
  }

  #resource(kind: string): FollowedKind | undefined {
    return this.#resources.find((one) => one.kind === kind);
  }

  get #canWork(): boolean {
    return this.isSynced && this.#options.election?.isLeader !== false;
  }

  #startWork(): void {
    const { clock } = this.#options;
    if (!this.#canWork) return;
    if (clock.nowSeconds() >= this.#nextResyncSeconds) {
      this.#nextResyncSeconds = clock.nowSeconds() + resyncSeconds;
      for (const { objects } of this.#resources) {
        for (const resource of objects.values()) this.#want(resource, true);
      }
      for (const { metadata } of this.#adapters.objects.values()) {
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
      else if (kind === scalingKind) await this.#workOnScale(key, `${namespace}/${name}`);
      else {
        const resource = this.#resource(kind)?.objects.get(`${namespace}/${name}`);
        const seconds = resource && (await this.#controller.work(resource as unknown as Resource));
        if (seconds !== undefined) this.#queue.add(key, seconds);
      }
      this.#queue.done(key, false);
    } catch (error) {
      this.#queue.done(key, true);
      this.#options.log.warning(`${key}: ${error instanceof Error ? error.message : error}`);
    }
  }

  async #workOnScale(key: string, runtime: string): Promise<void> {
    const found = this.#resource('VLLMRuntime')?.objects.get(runtime);
    if (found === undefined) return;
    const seconds = await this.#scalingController.work(found as unknown as Resource);
    if (seconds !== undefined) this.#queue.add(key, seconds);
  }

  #ownedBy(resource: Resource): readonly KubernetesObject[] {
    return this.#owned.flatMap(({ objects }) => ownedBy(resource, objects.values()));
  }

  async #workOnAdapters(key: string, namespace: string): Promise<void> {
    const adapters = this.#adapters.within(namespace) as unknown as readonly AdapterResource[];
    const pods = this.#pods.within(namespace).map((pod) => pod['engine'] as AdapterPod);
    const seconds = await this.#adapterController.work(namespace, adapters, pods);
    if (seconds !== undefined) this.#queue.add(key, seconds);
  }
}

/** The scaler of a runtime looks at it by itself, at its own times. */
const scalingKind = 'Scaling';

function scalingKey({ metadata }: KubernetesObject): string {
  return `${scalingKind}/${metadata.namespace}/${metadata.name}`;
}

/** Adapters of a namespace are looked at together. */
function adaptersKey(namespace: string): string {
  return `LoraAdapter/${namespace}/*`;
}

function keyOf({ kind, metadata }: Pick<KubernetesObject, 'kind' | 'metadata'>): string {
  return `${kind}/${metadata.namespace}/${metadata.name}`;
}
