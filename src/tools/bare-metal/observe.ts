// The state of a stack on its hosts.
import {
  type HostedService,
  type InstalledRelease,
  observeScript,
  parseObserved,
  serviceComponents,
} from '../../core/bare-metal/index.ts';
import { type StackState, stackState } from '../../core/deploy/index.ts';
import type { HostSession } from './session.ts';

/** @param installed By host, in their order. */
export async function observeHosts(
  session: HostSession,
  installed: readonly InstalledRelease[],
): Promise<StackState> {
  const services = await Promise.all(
    session.hosts.map(async (host, index): Promise<readonly HostedService[]> => {
      const own = installed[index]?.record?.services ?? [];
      if (own.length === 0) return [];
      const observed = await session
        .run(host, observeScript(own))
        .then(parseObserved, () => undefined);
      session.signal?.throwIfAborted();
      return own.map((service) => ({
        ...{ host: host.text, service, observed: observed?.get(service.unit) },
      }));
    }),
  );
  // Engines start first, and the router is shown first, as on a cluster.
  const components = serviceComponents(services.flat());
  return stackState(components.toSorted((one, other) => rank(one.role) - rank(other.role)));
}

function rank(role: string): number {
  return role === 'router' ? 0 : 1;
}
