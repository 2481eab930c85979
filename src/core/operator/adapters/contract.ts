// What is known of the adapters of a namespace, and what is decided of them.
import type { Owner } from '../kubernetes-object.ts';
import type { AdapterPod } from './adapter-pod.ts';
import type { AdapterDownload } from './adapter-source.ts';

/** A resource of kind LoraAdapter, as read. */
export interface AdapterResource extends Owner {
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** An adapter as /v1/models lists it. */
export interface AdapterCard {
  readonly name: string;
  /** `root` of the card: the path with which it was loaded. */
  readonly path: string;
}

export type PodReport =
  | { readonly adapters: readonly AdapterCard[] }
  /** The engine did not say; why, in a sentence. */
  | { readonly failure: string };

/** An action under way, or one that failed and is tried again. */
export type Attempt =
  | { readonly state: 'running' }
  | { readonly state: 'failed'; readonly reason: string; readonly message: string };

export interface AdaptersObserved {
  /** All of one namespace. */
  readonly adapters: readonly AdapterResource[];
  /** Its pods with the label `model`. */
  readonly pods: readonly AdapterPod[];
  /** By uid of the pod. */
  readonly reports: ReadonlyMap<string, PodReport>;
  /** By key of the action. */
  readonly attempts: ReadonlyMap<string, Attempt>;
  /** RFC 3339. */
  readonly now: string;
}

export interface AdapterAction {
  /** The same for the same action. */
  readonly key: string;
  readonly kind: 'load' | 'unload';
  readonly adapter: AdapterResource;
  readonly pod: AdapterPod;
  readonly name: string;
  /** '' to unload. */
  readonly path: string;
  /** The engine has an adapter of this name from another path. */
  readonly isReplaced: boolean;
  readonly download: AdapterDownload | undefined;
}

export interface AdapterPlan {
  readonly actions: readonly AdapterAction[];
  /** Those that differ from the present ones. */
  readonly statuses: readonly {
    readonly adapter: AdapterResource;
    readonly status: Readonly<Record<string, unknown>>;
  }[];
  readonly finalizers: readonly {
    readonly adapter: AdapterResource;
    readonly finalizers: readonly string[];
  }[];
}
