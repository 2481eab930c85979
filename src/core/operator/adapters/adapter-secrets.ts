// Which secrets the adapters of a namespace name, and which engines are asked with them.
import type { AdapterPod } from './adapter-pod.ts';
import { loadedBefore } from './adapter-status.ts';
import type { AdapterResource } from './contract.ts';

/** A key of a secret in the namespace of the adapter. */
export interface SecretKey {
  readonly name: string;
  readonly key: string;
}

/** Fields of a specification that may be invalid. */
interface Secrets {
  readonly baseModel?: string;
  readonly vllmApiKey?: { readonly secretName?: string; readonly secretKey?: string };
  readonly adapterSource?: {
    readonly credentialsSecretRef?: { readonly name?: string; readonly key?: string };
  };
}

/** The key of the engines. */
export function apiKeyOf({ spec }: AdapterResource): SecretKey | undefined {
  const { secretName, secretKey } = ((spec ?? {}) as Secrets).vllmApiKey ?? {};
  return secretName && secretKey ? { name: secretName, key: secretKey } : undefined;
}

/** What the sidecar downloads with. */
export function credentialsOf({ spec }: AdapterResource): SecretKey | undefined {
  const { name, key } = ((spec ?? {}) as Secrets).adapterSource?.credentialsSecretRef ?? {};
  return name && key ? { name, key } : undefined;
}

export interface AskedPod {
  readonly pod: AdapterPod;
  readonly apiKey: SecretKey | undefined;
}

/** Pods that are asked what they have: those of the adapters' models, and those where an adapter was loaded before. */
export function podsToAsk(
  adapters: readonly AdapterResource[],
  pods: readonly AdapterPod[],
): readonly AskedPod[] {
  const byModel = new Map<string, SecretKey | undefined>();
  const byPod = new Map<string, SecretKey | undefined>();
  for (const adapter of adapters) {
    const apiKey = apiKeyOf(adapter);
    const model = ((adapter.spec ?? {}) as Secrets).baseModel ?? '';
    byModel.set(model, byModel.get(model) ?? apiKey);
    for (const { podAssignments } of loadedBefore(adapter)) {
      byPod.set(podAssignments.podName, byPod.get(podAssignments.podName) ?? apiKey);
    }
  }
  return pods
    .filter(({ url, model, name }) => url !== '' && (byModel.has(model) || byPod.has(name)))
    .map((pod) => ({ pod, apiKey: byModel.get(pod.model) ?? byPod.get(pod.name) }));
}
