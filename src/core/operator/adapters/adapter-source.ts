// Where an engine finds the weights of an adapter.
import type { LoraAdapterSpec } from '../resources.ts';
import type { AdapterPod } from './adapter-pod.ts';

/** A download that comes before the load: a request to the sidecar. */
export interface AdapterDownload {
  /** Of the sidecar. */
  readonly url: string;
  /** Hugging Face id, or an s3:// or http(s):// URL. */
  readonly repository: string;
  /** Within the sidecar's folder. */
  readonly folder: string;
}

export interface AdapterLocation {
  /** As the engine is told, and as it names it in /v1/models. */
  readonly path: string;
  readonly download: AdapterDownload | undefined;
}

/**
 * Finds out where a pod's engine has the weights, or will have them.
 *
 * With a sidecar, every remote source is downloaded by it, as in upstream: an engine that downloads stands still
 * meanwhile. Without one, vLLM downloads from Hugging Face by itself.
 *
 * @returns A sentence if this pod cannot get them.
 */
export function locateAdapter(
  { type, adapterName, adapterPath, repository }: LoraAdapterSpec['adapterSource'],
  { sidecar }: Pick<AdapterPod, 'sidecar'>,
): AdapterLocation | string {
  if (type === 'local' || repository === undefined) {
    return adapterPath ? { path: adapterPath, download: undefined } : 'adapterPath is missing.';
  }
  if (sidecar === undefined) {
    if (adapterPath) return { path: adapterPath, download: undefined };
    if (type === 'huggingface') return { path: repository, download: undefined };
    return `The pod has no sidecar that downloads adapters, which type ${type} needs.`;
  }
  const base = sidecar.folder.replace(/\/+$/, '');
  if (adapterPath && !adapterPath.startsWith(`${base}/`)) {
    return { path: adapterPath, download: undefined };
  }
  // Another source has another path: vLLM keeps cached prefixes of a path after a reload.
  const folder = adapterPath
    ? adapterPath.slice(base.length + 1)
    : `${adapterName.replaceAll('/', '-')}-${shortHash(`${type} ${repository}`)}`;
  const download = { url: sidecar.url, repository, folder };
  return { path: `${base}/${folder}`, download };
}

/** FNV-1a in 32 bits, as hexadecimal. @see http://www.isthe.com/chongo/tech/comp/fnv/ */
function shortHash(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
