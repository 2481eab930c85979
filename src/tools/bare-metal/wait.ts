// Waits until the services of a stack are ready, and every model has served a completion.
import type { InstalledRelease } from '../../core/bare-metal/index.ts';
import type { ComponentState, StackState } from '../../core/deploy/index.ts';
import { completeAll, type Served, waitUntilServing } from '../deploy/index.ts';
import { observeHosts } from './observe.ts';
import type { HostSession } from './session.ts';

export interface HostsWait {
  readonly session: HostSession;
  readonly installed: readonly InstalledRelease[];
  /** Undefined for a stack without a router, which serves once its engines are ready. */
  readonly routerUrl: string | undefined;
  readonly apiKey?: string | undefined;
  readonly waitMs: number;
  readonly onChange: (component: ComponentState) => void;
}

export function waitUntilHostsServe(options: HostsWait): Promise<Served<StackState>> {
  const { session, installed, routerUrl, apiKey, waitMs, onChange } = options;
  const { signal } = session;
  return waitUntilServing({
    observe: () => observeHosts(session, installed),
    complete: async () =>
      routerUrl === undefined
        ? { completions: [], reason: '' }
        : // The certificate is for the name that clients use.
          completeAll({ url: routerUrl, apiKey, signal, isTunnel: true }),
    ...{ waitMs, signal, onChange },
    words: { parts: 'services', logs: 'spillway logs --target bare-metal' },
  });
}
