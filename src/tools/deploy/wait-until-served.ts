// Waits until a release in a cluster serves: all pods ready, then a completion from every model.
import type { ComponentState } from '../../core/deploy/index.ts';
import type { Cluster } from './cluster.ts';
import { type ObservedStack, observeStack } from './observe.ts';
import type { Release } from './release.ts';
import { openRouter, routerService } from './router-access.ts';
import { type Completions, completeAll, type Served, waitUntilServing } from './serving-wait.ts';

export interface WaitOptions {
  readonly cluster: Cluster;
  readonly release: Release;
  readonly waitMs: number;
  readonly apiKey?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onChange?: ((component: ComponentState) => void) | undefined;
}

export function waitUntilServed(options: WaitOptions): Promise<Served<ObservedStack>> {
  const { cluster, release, waitMs, signal, onChange } = options;
  return waitUntilServing({
    observe: () => observeStack(cluster, release.namespace, release.manifests),
    complete: () => complete(options),
    ...{ waitMs, signal, onChange },
    words: { parts: 'pods', logs: 'spillway logs' },
  });
}

async function complete({ cluster, release, apiKey, signal }: WaitOptions): Promise<Completions> {
  if (routerService(release.manifests) === undefined) return { completions: [], reason: '' };
  const router = await openRouter(cluster, release, apiKey);
  const { url, isTunnel } = router;
  try {
    return await completeAll({ url, isTunnel, apiKey, signal });
  } finally {
    await router.close();
  }
}
