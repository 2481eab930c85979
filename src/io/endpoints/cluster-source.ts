// Finds endpoints in a Kubernetes cluster: lists pods or Services, and watches them.
import { InputError, type Random } from '../../core/base/index.ts';
import {
  type ClusterEngine,
  type EnginePod,
  type EngineService,
  enginesOfPods,
  enginesOfServices,
  type ReadObject,
  readEnginePod,
  readEngineService,
  readServiceSlice,
  type ServiceSlice,
  WatchedList,
} from '../../core/kubernetes/index.ts';
import {
  ApiStatusError,
  type ClusterAccess,
  followList,
  openCluster,
} from '../kubernetes/index.ts';
import { changesBetween, endpointsByUrl } from './changes.ts';
import type { ClusterSettings } from './cluster-settings.ts';
import {
  type DiscoveredEndpoint,
  type EndpointChange,
  type EndpointSource,
  endpointsMax,
  type SourceLog,
  type Wait,
} from './endpoint-source.ts';
import { heldWait, realWait } from './polled-source.ts';
import { SourceProblem } from './source-problem.ts';

export interface ClusterSourceOptions extends ClusterSettings {
  readonly log: SourceLog;
  /** @default the cluster that this program runs in, else that of the kubeconfig */
  readonly access?: ClusterAccess | undefined;
  readonly wait?: Wait | undefined;
  readonly random?: Random | undefined;
  /** @default the monotonic clock of this process */
  readonly nowSeconds?: (() => number) | undefined;
  /** Maximum wait for a response of the API server to begin. @default 10000 */
  readonly headTimeoutMs?: number | undefined;
}

/**
 * Time that a router waits for the first lists. It listens after that, so that a router that replaces another one in a
 * rollout gets requests once it knows its engines; without an API server it starts all the same.
 */
const firstListsMs = 10_000;

/**
 * Engines of one cluster. A change is reported with the event that brings it. While the API server cannot be reached, the
 * last engines stay; what it did not tell in that time is told when a watch goes on, or a list replaces it.
 *
 * @throws {InputError} At the first step, if there is no cluster or the API server calls the label selector invalid.
 */
export function clusterSource(options: ClusterSourceOptions): EndpointSource {
  const { kind, namespaces } = options;
  const name = `Kubernetes ${kind} in ${namespaces.join(', ')}`;
  return { name, changes: (signal) => changesOf(options, signal, name) };
}

async function* changesOf(
  options: ClusterSourceOptions,
  signal: AbortSignal,
  name: string,
): AsyncGenerator<readonly EndpointChange[]> {
  const { namespaces, log, wait = realWait } = options;
  const access = options.access ?? (await openCluster());
  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);
  const changed = new Wakeup(ended);
  const problem = new SourceProblem(name, log);
  let known: ReadonlyMap<string, DiscoveredEndpoint> = new Map();
  const parts = namespaces.map((namespace) => {
    const onFailure = (reason: Error, part: string) => problem.report(reason, known.size, part);
    return new NamespaceEngines({
      ...{ options, namespace, access, wait, signal: ended, onChange: changed.wake, onFailure },
      onServed: (part) => problem.solved(part),
    });
  });
  const followed = parts.map((part) => part.follow());
  try {
    // A router does not listen yet, so that nothing else keeps it alive between two attempts.
    await firstLists(parts, changed, options.wait ?? heldWait, ended);
    let isFirst = true;
    while (!signal.aborted) {
      const endpoints = parts.flatMap((part) => part.engines()).map(asEndpoint);
      if (endpoints.length > endpointsMax) {
        const sentence = `${endpoints.length} engines are more than the ${endpointsMax} allowed`;
        problem.report(sentence, known.size);
      } else {
        problem.solved();
        const changes = changesBetween(known, endpoints);
        known = endpointsByUrl(endpoints);
        if (isFirst || changes.length > 0) yield changes;
        isFirst = false;
      }
      await changed.next();
    }
  } finally {
    stop.abort();
    await Promise.all(followed);
    access.close();
  }
}

/** Resolves when all lists have been read, or the time for it is over. */
async function firstLists(
  parts: readonly NamespaceEngines[],
  changed: Wakeup,
  wait: Wait,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const ended = AbortSignal.any([signal, over.signal]);
  const timeout = wait(firstListsMs, ended).then(() => {
    over.abort();
    changed.wake();
  });
  while (!ended.aborted && !parts.every(({ isListed }) => isListed)) {
    await changed.next();
    const refusal = parts.find(({ refusal }) => refusal !== undefined)?.refusal;
    if (refusal !== undefined) {
      throw new InputError(`The API server refuses to list the engines: ${refusal}.`);
    }
  }
  over.abort();
  await timeout;
}

interface NamespaceOptions {
  readonly options: ClusterSourceOptions;
  readonly namespace: string;
  readonly access: ClusterAccess;
  readonly signal: AbortSignal;
  readonly wait: Wait;
  readonly onChange: () => void;
  readonly onFailure: (reason: Error, part: string) => void;
  readonly onServed: (part: string) => void;
}

/** The engines of one namespace. */
class NamespaceEngines {
  /** Why the API server will never list this: the request itself is wrong. */
  refusal: string | undefined;
  readonly #own: NamespaceOptions;
  readonly #pods: WatchedList<EnginePod>;
  readonly #services: WatchedList<EngineService>;
  readonly #slices: WatchedList<ServiceSlice>;

  constructor(own: NamespaceOptions) {
    const { random = { next: Math.random }, watchSeconds: seconds } = own.options;
    const { nowSeconds = () => performance.now() / 1000 } = own.options;
    const watchSeconds = seconds === 0 ? undefined : seconds;
    const listOptions = { clock: { nowSeconds }, random, watchSeconds };
    this.#own = own;
    this.#pods = new WatchedList(listOptions);
    this.#services = new WatchedList(listOptions);
    this.#slices = new WatchedList(listOptions);
  }

  get isListed(): boolean {
    if (this.#own.options.kind === 'pod-ip') return this.#pods.isListed;
    return this.#services.isListed && this.#slices.isListed;
  }

  engines(): ClusterEngine[] {
    const { kind, port, namespaces } = this.#own.options;
    const namesNamespaces = namespaces.length > 1;
    if (!this.isListed) return [];
    return kind === 'pod-ip'
      ? enginesOfPods(this.#pods.objects.values(), port, namesNamespaces)
      : enginesOfServices(
          this.#services.objects.values(),
          this.#slices.objects.values(),
          port,
          namesNamespaces,
        );
  }

  async follow(): Promise<void> {
    const { namespace, options } = this.#own;
    const { kind, labelSelector } = options;
    const core = `/api/v1/namespaces/${namespace}`;
    if (kind === 'pod-ip') {
      await this.#follow(`${core}/pods`, labelSelector, readEnginePod, this.#pods);
      return;
    }
    await Promise.all([
      this.#follow(`${core}/services`, labelSelector, readEngineService, this.#services),
      // Slices need not have the labels of their Service.
      this.#follow(
        `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
        '',
        readServiceSlice,
        this.#slices,
      ),
    ]);
  }

  async #follow<T>(
    path: string,
    labelSelector: string,
    read: ReadObject<T>,
    list: WatchedList<T>,
  ): Promise<void> {
    const { access, signal, wait, options, onChange, onServed, onFailure } = this.#own;
    await followList({
      ...{ access, path, labelSelector, read, list, wait, signal, onChange },
      headTimeoutMs: options.headTimeoutMs,
      onServed: () => onServed(path),
      onFailure: (reason) => {
        if (reason instanceof ApiStatusError && reason.status === 400) {
          this.refusal = reason.message;
          onChange();
        }
        onFailure(reason, path);
      },
    });
  }
}

/** Wakes one waiting loop; a wake-up before it waits counts. An aborted signal wakes it for good. */
class Wakeup {
  readonly #signal: AbortSignal;
  #isDue = false;
  #resolve: (() => void) | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => this.wake(), { once: true });
  }

  readonly wake = (): void => {
    this.#isDue = true;
    this.#resolve?.();
  };

  /** Resolves at the next wake-up. */
  async next(): Promise<void> {
    if (!this.#isDue && !this.#signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#resolve = resolve;
      await promise;
    }
    this.#isDue = false;
  }
}

function asEndpoint(engine: ClusterEngine): DiscoveredEndpoint {
  return { ...engine, models: [] };
}
