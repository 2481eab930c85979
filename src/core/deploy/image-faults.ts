// Finds images whose reference no container runtime would read, each at the key that has the wrong part.
import { InputError } from '../base/index.ts';
import type { EngineKind, ModelEntry, Values } from '../values/index.ts';
import { type ChartFault, valueFault } from './chart-faults.ts';
import { parseImage } from './image-reference.ts';

/** An image as the values have it: in parts, or as one text. */
interface Image {
  readonly repository?: string | undefined;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}

/**
 * Returns a fault for each image that the chart would use.
 *
 * @param kindOf What an entry runs on Kubernetes.
 */
export function imageFaults(
  values: Values,
  kindOf: (entry: ModelEntry) => EngineKind,
): readonly ChartFault[] {
  const { servingEngineSpec, routerSpec, cacheserverSpec, loraController } = values;
  const entries = servingEngineSpec.enableEngine
    ? [...servingEngineSpec.modelSpec.entries()].filter(([, entry]) => entry.enabled)
    : [];
  return [
    ...entries.flatMap(([index, entry]) => {
      const path = ['servingEngineSpec', 'modelSpec', index];
      const { initContainer, raySpec } = entry;
      if (kindOf(entry) === 'url') return [];
      return [
        ...(kindOf(entry) === 'vllm' ? partFaults(entry, path) : []),
        ...textFaults(initContainer?.image, [...path, 'initContainer', 'image']),
        ...textFaults(raySpec?.headNode?.initContainer?.image, [
          ...[...path, 'raySpec', 'headNode', 'initContainer', 'image'],
        ]),
      ];
    }),
    ...textFaults(servingEngineSpec.sidecar.image, ['servingEngineSpec', 'sidecar', 'image']),
    ...(routerSpec.enableRouter ? partFaults(routerSpec, ['routerSpec']) : []),
    ...(cacheserverSpec.enabled
      ? partFaults(cacheserverSpec.image, ['cacheserverSpec', 'image'])
      : []),
    ...(loraController.enableLoraController
      ? partFaults(loraController.image, ['loraController', 'image'])
      : []),
    ...(values.sharedPvcStorage.enabled
      ? partFaults(values.sharedPvcStorage.image, ['sharedPvcStorage', 'image'])
      : []),
    ...partFaults(values.spillway.image, ['spillway', 'image']),
  ];
}

/** Of an image in parts. The schema checks the digest. */
function partFaults({ repository, tag }: Image, path: ChartFault['path']): ChartFault[] {
  const faults: ChartFault[] = [];
  if (repository && !isImage(repository, true)) {
    faults.push(valueFault([...path, 'repository'], repositoryClause(repository)));
  }
  if (tag && !isImage(`x:${tag}`)) {
    faults.push(
      valueFault(
        [...path, 'tag'],
        `${JSON.stringify(tag)} is not the tag of an image, which has at most 128 letters, digits, "_", "." and "-", and begins with a letter, a digit or "_"${tag.startsWith('sha256:') ? '; a digest has a key of its own, digest' : ''}`,
      ),
    );
  }
  return faults;
}

function repositoryClause(repository: string): string {
  const what = `${JSON.stringify(repository)} is not the name of an image without its tag`;
  const plain = repository.trim().replace(/^[a-z]+:\/\//i, '');
  const [, name = '', tag] = /^(.*[^:/]):([^/@:]+)$/.exec(plain) ?? [];
  if (tag !== undefined && isImage(name, true)) return `${what}; write ${name}, and tag: ${tag}`;
  const [before = '', digest] = plain.split('@');
  if (digest !== undefined && isImage(before, true)) {
    return `${what}; write ${before}, and digest: ${digest}`;
  }
  const better = [plain, plain.toLowerCase()].find((one) => isImage(one, true));
  return better === undefined
    ? `${what}, such as vllm/vllm-openai or ghcr.io/owner/name`
    : `${what}; write ${better}`;
}

/** Of an image in one text. */
function textFaults(image: string | undefined, path: ChartFault['path']): ChartFault[] {
  if (image === undefined || isImage(image)) return [];
  return [
    valueFault(
      path,
      `${JSON.stringify(image)} is not the name of an image, such as ghcr.io/owner/name:tag or name@sha256:…`,
    ),
  ];
}

/** @param isRepository Whether there may be no tag and no digest. */
function isImage(text: string, isRepository = false): boolean {
  try {
    const { digest } = parseImage(isRepository ? `${text}:x` : text);
    return !isRepository || digest === undefined;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}
