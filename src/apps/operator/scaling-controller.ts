// The built-in scaler at work: looks at a runtime, reads the metrics of its engines and of the routers before them, and
// scales it through its scale subresource, as a HorizontalPodAutoscaler would.
import type { Clock } from '../../core/base/index.ts';
import {
  conflictCondition,
  conflictOf,
  decisionCondition,
  type EnginePod,
  FleetMeter,
  type KubernetesObject,
  type MeteredPod,
  podUrl,
  type Resource,
  routerSelectors,
  type ScalingCondition,
  type ScalingSettings,
  scalersToAvoid,
  scalingSettings,
  unavailableCondition,
} from '../../core/operator/index.ts';
import { ServiceLevelScaler } from '../../core/scaler/index.ts';
import type { Logger } from '../../io/log/index.ts';
import type { ScalingCluster } from './cluster.ts';
import { callPod } from './pod-call.ts';
import { withLimit } from './with-limit.ts';

export interface ScalingControllerOptions {
  readonly cluster: ScalingCluster;
  readonly clock: Clock;
  readonly log: Logger;
  /** Pods of a runtime. */
  readonly pods: (runtime: Resource) => readonly EnginePod[];
  /** VLLMRouters of a namespace. */
  readonly routers: (namespace: string) => readonly KubernetesObject[];
  /** The condition has changed: the status is to be written. */
  readonly onChange: (runtime: Resource) => void;
}

/** Pods that are asked at a time, how long one may take, and how long its page may be: a router has some lines per engine. */
const askedMax = 32;
const pageTimeoutMs = 5_000;
const pageBytesMax = 16 * 1_048_576;
/** Routers that are asked; more of them would not tell more. */
const routersMax = 64;

/** Of one runtime: what the scaler remembers, and what it decided last. */
interface Scaled {
  readonly key: string;
  readonly scaler: ServiceLevelScaler;
  readonly meter: FleetMeter;
  /** The last decision that changed something, or that nothing had to be changed. */
  decision: ScalingCondition | undefined;
  condition: ScalingCondition | undefined;
}

export class ScalingController {
  readonly #options: ScalingControllerOptions;
  /** By uid: as many as have a built-in scaler. */
  readonly #scaled = new Map<string, Scaled>();
  readonly #stopped = new AbortController();

  constructor(options: ScalingControllerOptions) {
    this.#options = options;
  }

  /** The runtime is gone. */
  forget(uid: string): void {
    this.#scaled.delete(uid);
  }

  /** What the status says; undefined before the first look. */
  condition({ metadata }: Resource): ScalingCondition | undefined {
    return this.#scaled.get(metadata.uid)?.condition;
  }

  /** Ends requests that are under way. */
  close(): void {
    this.#stopped.abort();
  }

  /**
   * Looks at a runtime, and scales it if it is to be scaled.
   *
   * @returns Seconds until the next look; undefined if the built-in scaler is off.
   * @throws If the API server cannot be reached, or refuses something.
   */
  async work(runtime: Resource): Promise<number | undefined> {
    const { uid, namespace } = runtime.metadata;
    const settings = scalingSettings(runtime);
    if (settings === undefined) {
      this.#scaled.delete(uid);
      return undefined;
    }
    const scaled = this.#scaledOf(uid, settings);
    const others = await Promise.all(
      scalersToAvoid.map((kind) => this.#options.cluster.list({ ...kind, namespace })),
    );
    const conflict = conflictOf(runtime, others.flat());
    if (conflict !== undefined) this.#say(runtime, scaled, conflictCondition(conflict));
    else await this.#scale(runtime, settings, scaled);
    return settings.lookSeconds;
  }

  /** A changed service level begins anew; what was learned of pods stays. */
  #scaledOf(uid: string, { scaler: options }: ScalingSettings): Scaled {
    const key = JSON.stringify(options);
    const before = this.#scaled.get(uid);
    if (before?.key === key) return before;
    const scaled = {
      ...{ key, scaler: new ServiceLevelScaler(options), meter: before?.meter ?? new FleetMeter() },
      ...{ decision: undefined, condition: before?.condition },
    };
    this.#scaled.set(uid, scaled);
    return scaled;
  }

  async #scale(runtime: Resource, settings: ScalingSettings, scaled: Scaled): Promise<void> {
    const { replicas, scaler } = settings;
    const engines = this.#options.pods(runtime).filter((pod) => pod.isReady && !pod.isDeleting);
    const routers = await this.#routers(runtime, settings);
    const [enginePages, routerPages] = await Promise.all([
      this.#pages(engines),
      this.#pages(routers),
    ]);
    const hasRouter = routerPages.some(({ page }) => page !== undefined);
    // Who asks for the first engine, or for the last one, is known to routers only.
    if (replicas === 0 && scaler.bounds.min === 0 && !hasRouter) {
      const why = routers.length > 0 ? 'no router responds' : 'there is no engine, and no router';
      this.#say(runtime, scaled, unavailableCondition(why));
      return;
    }
    const reading = scaled.meter.read({
      ...{ nowSeconds: this.#options.clock.nowSeconds(), model: settings.model, replicas },
      ...{ engines: enginePages, routers: routerPages },
    });
    if (reading === undefined) {
      this.#say(runtime, scaled, unavailableCondition('no engine responds'));
      return;
    }
    const decided = scaled.scaler.decide(reading);
    const least = hasRouter ? scaler.bounds.min : Math.max(1, scaler.bounds.min);
    const wanted = Math.max(least, decided);
    const why =
      wanted === decided
        ? scaled.scaler.why
        : 'without a router to ask for requests, one engine stays';
    await this.#decide(runtime, scaled, { from: replicas, to: wanted, why });
  }

  async #decide(
    runtime: Resource,
    scaled: Scaled,
    { from, to, why }: { readonly from: number; readonly to: number; readonly why: string },
  ): Promise<void> {
    const { namespace, name } = runtime.metadata;
    const condition = decisionCondition(from, to, why);
    if (from === to) {
      scaled.decision ??= condition;
      this.#say(runtime, scaled, scaled.decision);
      return;
    }
    const { cluster, log } = this.#options;
    await cluster.setScale(referenceTo(runtime), to);
    scaled.decision = condition;
    log.info(`${namespace}/${name}: ${condition.message}`);
    await cluster.record(runtime, {
      ...{ type: 'Normal', reason: condition.reason, message: condition.message },
    });
    this.#say(runtime, scaled, condition);
  }

  #say(runtime: Resource, scaled: Scaled, condition: ScalingCondition): void {
    const before = scaled.condition;
    scaled.condition = condition;
    if (before?.reason === condition.reason && before.message === condition.message) return;
    this.#options.onChange(runtime);
  }

  /** The pods of the routers before a runtime that have an address. */
  async #routers(
    runtime: Resource,
    settings: ScalingSettings,
  ): Promise<readonly Omit<MeteredPod, 'page'>[]> {
    const { cluster, pods, routers } = this.#options;
    const { namespace } = runtime.metadata;
    const selectors = routerSelectors(runtime, settings, routers(namespace), pods(runtime));
    const found = await Promise.all(
      selectors.map((labelSelector) =>
        cluster.list({ kind: 'Pod', apiVersion: 'v1', namespace, labelSelector }),
      ),
    );
    return found
      .flat()
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map((pod) => ({ uid: pod.metadata.uid ?? '', url: podUrl(pod) }))
      .filter(({ url }) => url !== '')
      .slice(0, routersMax);
  }

  async #pages(pods: readonly Pick<MeteredPod, 'uid' | 'url'>[]): Promise<readonly MeteredPod[]> {
    const metered: MeteredPod[] = [];
    const { signal } = this.#stopped;
    await withLimit(askedMax, pods, async ({ uid, url }) => {
      const asked = { signal, timeoutMs: pageTimeoutMs, bytesMax: pageBytesMax };
      const page = await callPod(`${url}/metrics`, asked).then(
        ({ status, text }) => (status === 200 ? text : undefined),
        () => undefined,
      );
      metered.push({ uid, url, page });
    });
    return metered;
  }
}

function referenceTo({ apiVersion, kind, metadata }: Resource) {
  return { apiVersion, kind, namespace: metadata.namespace, name: metadata.name };
}
