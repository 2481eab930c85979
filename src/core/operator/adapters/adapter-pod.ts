// A pod of an engine, as far as adapters are concerned.
import type { KubernetesObject } from '../kubernetes-object.ts';
import { addressUrl, podUrl } from '../pod-address.ts';
import { watchedPod } from '../watched-pod.ts';

/** Label of an engine's pods that LoraAdapter.spec.baseModel names. */
export const modelLabel = 'model';

export interface AdapterPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Value of the label `model`. */
  readonly model: string;
  /** Of the engine, such as `http://10.0.0.7:8000`; '' until the pod has an address. */
  readonly url: string;
  /** Ready, and not being deleted: it can take a new adapter. */
  readonly isReady: boolean;
  /** Of all its containers: an engine that was restarted has lost its adapters. */
  readonly restarts: number;
  /** The container that downloads adapters, if there is one. */
  readonly sidecar: AdapterSidecar | undefined;
}

/** Upstream's sidecar, or another one with its API: `POST /model/download`. */
export interface AdapterSidecar {
  readonly url: string;
  /** Folder of all downloads, the same in the engine's container. */
  readonly folder: string;
}

interface PodSpec {
  readonly containers?: readonly Container[];
  readonly initContainers?: readonly Container[];
}

interface Container {
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
}

interface PodStatus {
  readonly phase?: string;
  readonly podIP?: string;
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  readonly containerStatuses?: readonly { readonly restartCount?: number }[];
}

/** Where upstream's sidecar listens and writes. */
const sidecarPortDefault = 30_090;
const sidecarFolderDefault = '/data/lora-adapters';
/** Environment variable by which a container is known to be the sidecar. */
const folderVariable = 'LORA_DOWNLOAD_BASE_DIR';

/** The pod as it is kept while it is watched. */
export function adapterPodObject(pod: KubernetesObject): KubernetesObject {
  const labels = { [modelLabel]: pod.metadata.labels?.[modelLabel] ?? '' };
  return watchedPod(pod, labels, readAdapterPod(pod));
}

export function readAdapterPod(pod: KubernetesObject): AdapterPod {
  const { metadata } = pod;
  const spec = (pod['spec'] ?? {}) as PodSpec;
  const status = (pod['status'] ?? {}) as PodStatus;
  const { podIP = '', phase } = status;
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  const isReady = status.conditions?.some(
    ({ type, status }) => type === 'Ready' && status === 'True',
  );
  const hasEnded = phase === 'Succeeded' || phase === 'Failed';
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid ?? '',
    model: metadata.labels?.[modelLabel] ?? '',
    url: podUrl(pod),
    isReady: isReady === true && metadata.deletionTimestamp === undefined && !hasEnded,
    restarts: (status.containerStatuses ?? []).reduce(
      (sum, { restartCount = 0 }) => sum + restartCount,
      0,
    ),
    sidecar: podIP === '' ? undefined : sidecarOf(containers, podIP),
  };
}

function sidecarOf(containers: readonly Container[], ip: string): AdapterSidecar | undefined {
  for (const { env = [] } of containers) {
    const folder = env.find(({ name }) => name === folderVariable);
    if (folder === undefined) continue;
    const port = Number(env.find(({ name }) => name === 'PORT')?.value ?? sidecarPortDefault);
    return { url: addressUrl(ip, port), folder: folder.value ?? sidecarFolderDefault };
  }
  return undefined;
}
