// The nodes of a group, before a stack is deployed on them.
import { InputError } from '../../core/base/index.ts';
import { type Group, groupLabel } from '../../core/deploy/index.ts';
import { listAt } from '../../core/kubernetes/index.ts';
import type { Cluster } from './cluster.ts';

/** @throws {InputError} If no node has the label of the group. Without the right to list nodes, nothing is known. */
export async function checkGroupNodes(cluster: Cluster, group: Group): Promise<void> {
  const selector = encodeURIComponent(`${groupLabel}=${group}`);
  const found = await cluster
    .get(`/api/v1/nodes?labelSelector=${selector}&limit=1`)
    .catch(() => undefined);
  if (found === undefined || listAt(found, 'items').length > 0) return;
  throw new InputError(
    `No node has the label ${groupLabel}=${group}: label those of group ${group} with "kubectl label node NODE ${groupLabel}=${group}".`,
  );
}
