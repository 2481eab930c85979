// The engines that a values file wants, as far as a cluster must have something for them.
import { at, listAt, textAt } from '../kubernetes/index.ts';
import { quantityValue } from '../values/index.ts';
import type { Resources } from './nodes.ts';

export interface WantedEngine {
  readonly name: string;
  readonly replicas: number;
  /** Of one engine. */
  readonly requests: Resources;
  readonly hasClaim: boolean;
  /** '' for the default one. */
  readonly storageClass: string;
  /** Name on Hugging Face; undefined for another source, or an embedded engine, which needs no weights. */
  readonly model: string | undefined;
  /** Token of the model in the values; '' if there is none, or it is in a secret. */
  readonly token: string;
}

/** @param values As written, after merging. */
export function wantedEngines(values: unknown): readonly WantedEngine[] {
  if (at(values, 'servingEngineSpec', 'enableEngine') === false) return [];
  return listAt(values, 'servingEngineSpec', 'modelSpec').map((entry): WantedEngine => {
    const amount = (key: string) => quantityValue(at(entry, key)) ?? 0;
    const gpu = textAt(entry, 'requestGPUType') || 'nvidia.com/gpu';
    const requests = { cpu: amount('requestCPU'), memory: amount('requestMemory') };
    const gpus = amount('requestGPU');
    const storage = at(entry, 'pvcStorage');
    const model = textAt(entry, 'modelURL');
    const isOnHub = textAt(entry, 'kind') !== 'embedded' && /^[\w.-]+(\/[\w.-]+)?$/.test(model);
    return {
      name: textAt(entry, 'name'),
      replicas: quantityValue(at(entry, 'replicaCount')) ?? 1,
      requests: { ...requests, pods: 1, ...(gpus > 0 && { [gpu]: gpus }) },
      hasClaim: storage != null && storage !== '' && typeof storage !== 'object',
      storageClass: textAt(entry, 'storageClass'),
      model: isOnHub ? model : undefined,
      token: textAt(entry, 'hf_token'),
    };
  });
}
