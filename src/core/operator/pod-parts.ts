// Parts of a pod that the kinds share.
import { compact, type Owner } from './kubernetes-object.ts';
import type { ImageSpec, ResourceSpec } from './resources.ts';

/** Labels by which a Service and a Deployment find their pods, as upstream's operator sets them. */
export function podLabels({ metadata }: Owner): Readonly<Record<string, string>> {
  return { app: metadata.name, ...metadata.labels };
}

export function imageOf({ registry, name }: ImageSpec): string {
  return registry === '' ? name : `${registry}/${name}`;
}

export function pullPolicyOf({ pullPolicy }: ImageSpec): string {
  return pullPolicy || 'IfNotPresent';
}

export function pullSecretsOf({ pullSecretName }: ImageSpec): readonly { readonly name: string }[] {
  return pullSecretName ? [{ name: pullSecretName }] : [];
}

/** What is requested is also the limit, as upstream's operator sets it. */
export function resourcesOf({ cpu, memory, gpu, gpuType }: ResourceSpec): object {
  const amounts = compact({
    cpu: cpu || undefined,
    memory: memory || undefined,
    [gpuType || 'nvidia.com/gpu']: gpu || undefined,
  });
  return compact({ requests: amounts, limits: amounts });
}

export function nodeAffinityOf(terms: readonly object[] | undefined): object | undefined {
  if (terms === undefined || terms.length === 0) return undefined;
  return {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms },
    },
  };
}

/** No container of ours needs more than this. Images of vLLM run as root, so the user is left to the image. */
export const containerSecurity = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
};
export const podSecurity = { seccompProfile: { type: 'RuntimeDefault' } };

export function healthProbe(
  port: number,
  every: { readonly periodSeconds: number; readonly failureThreshold: number },
  path = '/health',
): object {
  return { httpGet: { path, port }, timeoutSeconds: 5, ...every };
}

/** The Service of a kind, on port 80 as upstream's operator makes it. */
/** @param more Further ports, the same in the pods. */
export function serviceSpec(
  owner: Owner,
  port: number,
  selector = podLabels(owner),
  more: readonly { readonly name: string; readonly port: number }[] = [],
): object {
  return {
    type: 'ClusterIP',
    selector,
    ports: [
      { name: 'http', port: 80, targetPort: port, protocol: 'TCP' },
      ...more.map(({ name, port }) => ({ name, port, targetPort: port, protocol: 'TCP' })),
    ],
  };
}
