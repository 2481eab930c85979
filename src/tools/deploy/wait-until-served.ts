// Waits until a release serves: all pods ready, then a completion from every model.
import type { ComponentState } from '../../core/deploy/index.ts';
import { delay } from '../../io/processes/index.ts';
import type { Cluster } from './cluster.ts';
import { type ObservedStack, observeStack } from './observe.ts';
import type { Release } from './release.ts';
import { openRouter, routerService } from './router-access.ts';
import { completion, listModels } from './smoke.ts';

export interface WaitOptions {
  readonly cluster: Cluster;
  readonly release: Release;
  readonly waitMs: number;
  readonly apiKey?: string | undefined;
  /** Interval between two looks. @default 1000 */
  readonly pollMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A component's state is another one than before. */
  readonly onChange?: ((component: ComponentState) => void) | undefined;
}

export interface Served {
  readonly stack: ObservedStack;
  readonly isServing: boolean;
  /** Each model with the time of its first completion. */
  readonly completions: readonly string[];
  /** Why it does not serve; '' if it does. */
  readonly reason: string;
  readonly next: string;
}

/** Time after which a state that will not end by itself ends the wait: pods of the old template may be going. */
const failedForMs = 10_000;
const completionTimeoutMs = 60_000;

export async function waitUntilServed(options: WaitOptions): Promise<Served> {
  const { cluster, release, waitMs, onChange, signal, pollMs = 1_000 } = options;
  const deadline = performance.now() + waitMs;
  const told = new Map<string, string>();
  let failedAt: number | undefined;
  let refused = '';
  for (;;) {
    const stack = await observeStack(cluster, release.namespace, release.manifests);
    for (const component of stack.components) {
      const { name, ready, wanted, health, reason } = component;
      const text = `${ready}/${wanted} ${health} ${reason}`;
      if (told.get(name) === text) continue;
      told.set(name, text);
      onChange?.(component);
    }
    if (stack.health === 'ready') {
      const served = await tryCompletions(options);
      if (served.reason === '') return { stack, isServing: true, ...served, next: '' };
      refused = served.reason;
    }
    failedAt = stack.health === 'failed' ? (failedAt ?? performance.now()) : undefined;
    const isFinal = failedAt !== undefined && performance.now() - failedAt >= failedForMs;
    if (isFinal || performance.now() >= deadline) {
      return {
        stack,
        isServing: false,
        completions: [],
        ...whyNot(stack, refused, isFinal, waitMs),
      };
    }
    await delay(pollMs, signal);
    signal?.throwIfAborted();
  }
}

function whyNot(stack: ObservedStack, refused: string, isFinal: boolean, waitMs: number) {
  const within = isFinal ? '' : ` within ${Math.round(waitMs / 1000)} s`;
  if (stack.health === 'ready') {
    return {
      reason: `all pods are ready, but no completion was served${within}: ${refused}`,
      next: 'see the logs of router and engines ("spillway logs")',
    };
  }
  const worst =
    stack.components.find(({ health }) => health === stack.health) ?? stack.components[0];
  if (worst === undefined) return { reason: 'the release has no workloads', next: '' };
  const { name, ready, wanted, reason, next } = worst;
  return { reason: `${name} is not ready${within} (${ready}/${wanted}): ${reason}`, next };
}

async function tryCompletions(
  options: WaitOptions,
): Promise<{ readonly completions: readonly string[]; readonly reason: string }> {
  const { cluster, release, apiKey, signal } = options;
  if (routerService(release.manifests) === undefined) {
    return { completions: [], reason: '' };
  }
  const router = await openRouter(cluster, release, apiKey);
  const { url, isTunnel } = router;
  const request = { url, isTunnel, apiKey, signal, timeoutMs: completionTimeoutMs };
  try {
    const models = await listModels(request);
    if (models.length === 0) return { completions: [], reason: 'the router has no model yet' };
    const completions: string[] = [];
    for (const model of models) completions.push(await completion(request, model));
    return { completions, reason: '' };
  } catch (error) {
    signal?.throwIfAborted();
    return { completions: [], reason: error instanceof Error ? error.message : String(error) };
  } finally {
    await router.close();
  }
}
