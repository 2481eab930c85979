// The coordinator of LMCache's multiprocess mode in the router, to which the servers of nodes report what they have. Imported
// only if it is asked for.
import { steadyUnixClock } from '../../../io/clocks/index.ts';
import { listenOn } from '../../../io/listen/index.ts';
import { createCoordinator } from '../../../io/lmcache-coordinator/index.ts';
import { catalogueCost } from './catalogue-cost.ts';
import { CoordinatorSource } from './coordinator-source.ts';
import type { RouterTiers } from './router-tiers.ts';

export interface RunningCoordinator {
  readonly url: string;
  close(): void;
}

/**
 * Opens the coordinator, and adds what it knows to the tiers.
 *
 * @param options.port 0 for any free one.
 * @throws {InputError} If the port cannot be listened on.
 */
export async function openLmcacheCoordinator(
  { host, port }: { readonly host: string; readonly port: number },
  tiers: RouterTiers,
): Promise<RunningCoordinator> {
  const coordinator = createCoordinator(steadyUnixClock);
  const { server, directory } = coordinator;
  const close = () => {
    coordinator.close();
    server.closeAllConnections();
    server.close();
  };
  try {
    const opened = await listenOn(server, host, port, '--lmcache-coordinator-port');
    tiers.add(new CoordinatorSource(directory), catalogueCost);
    return { url: `http://${host.includes(':') ? `[${host}]` : host}:${opened}`, close };
  } catch (error) {
    close();
    throw error;
  }
}
