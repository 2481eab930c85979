// Two stacks beside each other on nodes of their own, to be compared: which release, and which nodes, belong to a group.
import { listAt } from '../kubernetes/index.ts';

export const groups = ['a', 'b'] as const;
export type Group = (typeof groups)[number];

/** Label of the nodes of a group: `spillway/group=a`. */
export const groupLabel = 'spillway/group';

/** The release of a group. @example groupRelease('vllm', 'a'); // 'vllm-a' */
export function groupRelease(release: string, group: Group | undefined): string {
  return group === undefined ? release : `${release}-${group}`;
}

/**
 * Returns values that keep each part of a stack on the nodes of its group, in addition to the nodes that it asks for.
 *
 * @param values As written, after merging.
 */
export function groupValues(values: unknown, group: Group): object {
  const label = { [groupLabel]: group };
  const modelSpec = listAt(values, 'servingEngineSpec', 'modelSpec').map((entry) => {
    const { nodeSelector, ...rest } = entry as { readonly nodeSelector?: object };
    return { ...rest, nodeSelector: { ...nodeSelector, ...label } };
  });
  return {
    servingEngineSpec: { modelSpec },
    routerSpec: { nodeSelector: label },
    cacheserverSpec: { nodeSelector: label },
  };
}
