// Which resources may have the adapter that they ask for: those that are valid, and the first with its name.
import type { z } from 'zod';
import { type LoraAdapterSpec, specs } from '../resources.ts';
import type { AdapterPod } from './adapter-pod.ts';
import { type AdapterLocation, locateAdapter } from './adapter-source.ts';
import type { AdapterResource, AdaptersObserved } from './contract.ts';
import { sourceFault } from './source-fault.ts';

/** An adapter that is to be loaded. */
export interface ActiveAdapter {
  readonly adapter: AdapterResource;
  readonly spec: LoraAdapterSpec;
  /** Pods that can take it. */
  readonly candidates: readonly AdapterPod[];
  /** By uid of the pod; a sentence where there is none. */
  readonly locations: ReadonlyMap<string, AdapterLocation | string>;
}

/** The adapters of a namespace that are not being deleted. */
export interface Claims {
  readonly active: readonly ActiveAdapter[];
  /** Another resource has their name; a sentence for each. */
  readonly taken: readonly { readonly adapter: AdapterResource; readonly message: string }[];
  readonly invalid: readonly { readonly adapter: AdapterResource; readonly error: z.ZodError }[];
  /** Their name or path could lead elsewhere; a sentence for each. */
  readonly unsafe: readonly { readonly adapter: AdapterResource; readonly message: string }[];
}

/** Of several adapters with one name for one model, the oldest has it. */
export function claimsOf({ adapters, pods }: Pick<AdaptersObserved, 'adapters' | 'pods'>): Claims {
  const byAge = adapters
    .filter((adapter) => !isDeleting(adapter))
    .sort((one, other) => (ageKey(one) < ageKey(other) ? -1 : 1));
  const owners = new Map<string, string>();
  const active: ActiveAdapter[] = [];
  const taken: Claims['taken'][number][] = [];
  const invalid: Claims['invalid'][number][] = [];
  const unsafe: Claims['unsafe'][number][] = [];
  for (const adapter of byAge) {
    const parsed = specs.LoraAdapter.safeParse(adapter.spec);
    if (!parsed.success) {
      invalid.push({ adapter, error: parsed.error });
      continue;
    }
    const spec = parsed.data;
    const fault = sourceFault(spec.adapterSource);
    if (fault !== undefined) {
      unsafe.push({ adapter, message: fault });
      continue;
    }
    const key = `${spec.baseModel} ${nameOf(spec)}`;
    const owner = owners.get(key);
    if (owner === undefined) {
      owners.set(key, adapter.metadata.name);
      const candidates = pods.filter((pod) => pod.model === spec.baseModel && pod.isReady);
      const locations = new Map(
        candidates.map((pod) => [pod.uid, locateAdapter(spec.adapterSource, pod)] as const),
      );
      active.push({ adapter, spec, candidates, locations });
    } else {
      const message = `LoraAdapter ${owner} already gives engines of ${spec.baseModel} an adapter with the name ${nameOf(spec)}.`;
      taken.push({ adapter, message });
    }
  }
  return { active, taken, invalid, unsafe };
}

export function isDeleting({ metadata }: AdapterResource): boolean {
  return metadata.deletionTimestamp !== undefined;
}

/** The name that engines know it by. */
export function nameOf(spec: LoraAdapterSpec): string {
  return spec.adapterSource.adapterName;
}

function ageKey({ metadata }: AdapterResource): string {
  return `${metadata.creationTimestamp ?? ''} ${metadata.name}`;
}
