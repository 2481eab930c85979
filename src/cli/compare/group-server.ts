// A stack that `spillway deploy --group` has deployed, as a server of a comparison.
import { type Group, groupRelease } from '../../core/deploy/index.ts';
import { Cluster, openRouter, openTarget } from '../../tools/deploy/index.ts';
import { apiKeyOf, existingRelease } from '../cluster/stack-flags.ts';
import type { GroupCluster, HeldServer } from './server.ts';

/**
 * Opens a port of this machine that leads to the router of the group.
 *
 * @throws {InputError} If there is no such release, or it has no router.
 */
export async function openGroup(group: Group, at: GroupCluster): Promise<HeldServer> {
  const access = await openTarget({ target: 'existing', context: at.context });
  try {
    const cluster = new Cluster(access);
    const namespace = at.namespace ?? access.namespace;
    const release = groupRelease(at.release, group);
    const { signal } = new AbortController();
    const found = await existingRelease({ cluster, namespace, release, signal });
    const router = await openRouter(cluster, found, apiKeyOf());
    return {
      url: new URL(router.url),
      name: `group ${group} (${release} in ${namespace})`,
      stop: async () => {
        await router.close();
        access.close();
      },
    };
  } catch (error) {
    access.close();
    throw error;
  }
}
