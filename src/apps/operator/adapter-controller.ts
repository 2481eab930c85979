// Carries out what `planAdapters` decides for one namespace: asks its engines what they have, and loads and unloads.
import type { Clock, Random } from '../../core/base/index.ts';
import {
  type AdapterAction,
  type AdapterPod,
  type AdapterResource,
  type Attempt,
  apiKeyOf,
  credentialsOf,
  type ObjectReference,
  type PodReport,
  planAdapters,
  podsToAsk,
  type SecretKey,
} from '../../core/operator/index.ts';
import type { Logger } from '../../io/log/index.ts';
import { Attempts } from './attempts.ts';
import type { AdapterCluster } from './cluster.ts';
import {
  downloadAdapter,
  EngineCallError,
  loadAdapter,
  loadedAdapters,
  unloadAdapter,
} from './engine-calls.ts';
import { withLimit } from './with-limit.ts';

export interface AdapterControllerOptions {
  readonly cluster: AdapterCluster;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** RFC 3339. */
  readonly now: () => string;
  /** An action in this namespace has ended: another look is due. */
  readonly onEnd: (namespace: string) => void;
}

/** Engines that are asked at a time. */
const askedMax = 32;
/** Engines are asked again after this time, as by upstream's operator: a person may load and unload, too. */
const resyncSeconds = 60;
/** Until the next look at a namespace where an engine did not respond. */
const unreachableSeconds = 5;
/** Upstream's annotation of a pod, whose change makes upstream's router read the pod's models again. */
const modifiedAnnotation = 'lora-modified';

export class AdapterController {
  readonly #options: AdapterControllerOptions;
  /** By namespace: as many as have adapters. */
  readonly #attempts = new Map<string, Attempts>();
  readonly #stopped = new AbortController();

  constructor(options: AdapterControllerOptions) {
    this.#options = options;
  }

  /**
   * Brings the engines of a namespace closer to what its adapters say. Loads go on after it has returned.
   *
   * @returns Seconds until another look is due; undefined if there are no adapters.
   * @throws If the API server cannot be reached, or refuses something.
   */
  async work(
    namespace: string,
    adapters: readonly AdapterResource[],
    pods: readonly AdapterPod[],
  ): Promise<number | undefined> {
    if (adapters.length === 0) {
      this.#attempts.delete(namespace);
      return undefined;
    }
    const { cluster, clock, random, now } = this.#options;
    const attempts = this.#attempts.get(namespace) ?? new Attempts(clock, random);
    this.#attempts.set(namespace, attempts);
    const reports = await this.#reports(namespace, adapters, pods);
    const known = attempts.known;
    const plan = planAdapters({ adapters, pods, reports, attempts: known, now: now() });
    for (const { adapter, finalizers } of plan.finalizers) {
      await cluster.setFinalizers(referenceTo(adapter), finalizers, adapter.metadata);
    }
    for (const { adapter, status } of plan.statuses) {
      await cluster.setStatus(referenceTo(adapter), status);
      await this.#record(adapter, status);
    }
    attempts.keepOnly(new Set(plan.actions.map(({ key }) => key)));
    for (const action of plan.actions) {
      attempts.start(
        action.key,
        () => this.#run(action),
        (error) => this.#failure(action, error),
        () => this.#options.onEnd(namespace),
      );
    }
    const retry = attempts.waitSeconds(plan.actions.map(({ key }) => key));
    const isPartial = Array.from(reports.values()).some((report) => 'failure' in report);
    const seconds = isPartial ? unreachableSeconds : resyncSeconds;
    return Math.min(seconds, Math.max(0.5, retry ?? seconds));
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(Array.from(this.#attempts.values(), (attempts) => attempts.settled()));
  }

  async #reports(
    namespace: string,
    adapters: readonly AdapterResource[],
    pods: readonly AdapterPod[],
  ): Promise<ReadonlyMap<string, PodReport>> {
    const reports = new Map<string, PodReport>();
    const secrets = new Map<string, Promise<string | undefined>>();
    const keyOf = (secret: SecretKey | undefined) => {
      const name = `${secret?.name} ${secret?.key}`;
      const read = secrets.get(name) ?? this.#secret(namespace, secret);
      secrets.set(name, read);
      return read;
    };
    await withLimit(askedMax, podsToAsk(adapters, pods), async ({ pod, apiKey }) => {
      try {
        const options = { apiKey: await keyOf(apiKey), signal: this.#stopped.signal };
        reports.set(pod.uid, { adapters: await loadedAdapters(pod.url, options) });
      } catch (error) {
        if (!(error instanceof EngineCallError)) throw error;
        reports.set(pod.uid, { failure: error.message });
      }
    });
    return reports;
  }

  async #run(action: AdapterAction): Promise<void> {
    const { adapter, pod, kind, download } = action;
    const { namespace } = adapter.metadata;
    const { signal } = this.#stopped;
    const apiKey = await this.#secret(namespace, apiKeyOf(adapter));
    const options = { apiKey, signal };
    if (kind === 'unload') await unloadAdapter(action, options);
    else {
      if (download !== undefined) {
        const credentials = await this.#secret(namespace, credentialsOf(adapter));
        await downloadAdapter(download, credentials, options);
      }
      await loadAdapter(action, options);
    }
    const reference = { apiVersion: 'v1', kind: 'Pod', namespace, name: pod.name };
    await this.#options.cluster.annotate(reference, { [modifiedAnnotation]: this.#options.now() });
  }

  #failure({ adapter, pod, name }: AdapterAction, error: unknown): Attempt {
    const message = error instanceof Error ? error.message : String(error);
    const reason = error instanceof EngineCallError ? error.reason : 'Refused';
    if (!this.#stopped.signal.aborted) {
      const { namespace } = adapter.metadata;
      this.#options.log.warning(`adapter ${name} on ${namespace}/${pod.name}: ${message}`);
    }
    return { state: 'failed', reason, message };
  }

  /** @throws {EngineCallError} If there is no such secret, or no such key in it. */
  async #secret(namespace: string, secret: SecretKey | undefined): Promise<string | undefined> {
    if (secret === undefined) return undefined;
    const value = await this.#options.cluster.secret(namespace, secret);
    if (value !== undefined) return value;
    const message = `secret ${secret.name} has no key ${secret.key}, or does not exist.`;
    throw new EngineCallError('SecretMissing', message);
  }

  /** An event where the reason has changed. */
  async #record(
    adapter: AdapterResource,
    status: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const ready = readyOf(status);
    if (ready === undefined || ready.reason === readyOf(adapter.status)?.reason) return;
    const isWarning = status['phase'] === 'Failed' || status['phase'] === 'Partial';
    await this.#options.cluster.record(adapter, {
      type: isWarning ? 'Warning' : 'Normal',
      reason: ready.reason,
      message: ready.message,
    });
  }
}

function referenceTo({ apiVersion, kind, metadata }: AdapterResource): ObjectReference {
  return { apiVersion, kind, namespace: metadata.namespace, name: metadata.name };
}

function readyOf(
  status: unknown,
): { readonly reason: string; readonly message: string } | undefined {
  const { conditions = [] } = (status ?? {}) as {
    readonly conditions?: readonly {
      readonly type: string;
      readonly reason: string;
      readonly message: string;
    }[];
  };
  return conditions.find(({ type }) => type === 'Ready');
}
