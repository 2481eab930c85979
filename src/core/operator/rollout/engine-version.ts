// A version of a runtime: everything that decides what its engines are and how they are reached. How many there are, how
// they are replaced and who scales them is no part of it, so these can change while an older version runs.
import type { KubernetesObject } from '../kubernetes-object.ts';

export interface EngineVersion {
  /** Name of the version: the same for the same content. */
  readonly hash: string;
  /** Template of the pods, with the version's label. */
  readonly template: unknown;
  readonly service: unknown;
  /** Data of the ConfigMap with the chat template. */
  readonly chatTemplate?: unknown;
}

/** Label of pods that says which version they are. */
export const versionLabel = 'production-stack.vllm.ai/version';

/** @param objects Those of a runtime, of which the pods have no version yet. */
export function versionOf(objects: readonly KubernetesObject[]): EngineVersion {
  const content = contentOf(objects);
  const hash = textHash(JSON.stringify(content));
  return { ...content, hash, template: labelled(content.template, hash) };
}

/** The same objects with the pods, the Service and the chat template of a version. */
export function withVersion(
  objects: readonly KubernetesObject[],
  { template, service, chatTemplate }: EngineVersion,
): readonly KubernetesObject[] {
  const owner = objects.find(({ kind }) => kind === 'Deployment');
  const others = objects.flatMap((object): KubernetesObject[] => {
    switch (object.kind) {
      case 'Deployment':
        return [{ ...object, spec: { ...(object['spec'] as object), template } }];
      case 'Service':
        return [{ ...object, spec: service }];
      case 'ConfigMap':
        return [];
      default:
        return [object];
    }
  });
  if (chatTemplate === undefined || owner === undefined) return others;
  const { name } = owner.metadata;
  const metadata = { ...owner.metadata, name: chatTemplateName(name) };
  // Before the Deployment, whose pods wait for it.
  return [{ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: chatTemplate }, ...others];
}

/** The version of a Deployment's pods; undefined if it has none, as upstream's operator made it. */
export function appliedVersion(deployment: KubernetesObject | undefined): string | undefined {
  return templateOf(deployment)?.metadata?.labels?.[versionLabel];
}

export function chatTemplateName(runtime: string): string {
  return `${runtime}-chat-template`;
}

function contentOf(objects: readonly KubernetesObject[]): Omit<EngineVersion, 'hash'> {
  const one = (kind: string) => objects.find((object) => object.kind === kind);
  const chatTemplate = one('ConfigMap')?.['data'];
  return {
    template: templateOf(one('Deployment')),
    service: one('Service')?.['spec'],
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
  };
}

interface Template {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
}

function templateOf(deployment: KubernetesObject | undefined): Template | undefined {
  return (deployment?.['spec'] as { readonly template?: Template } | undefined)?.template;
}

function labelled(template: unknown, hash: string): Template {
  const { metadata, ...rest } = template as Template;
  return {
    metadata: { ...metadata, labels: { ...metadata?.labels, [versionLabel]: hash } },
    ...rest,
  };
}

/** FNV-1a in 64 bits, as hexadecimal. @see http://www.isthe.com/chongo/tech/comp/fnv/ */
function textHash(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, '0');
}
